#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace metergate {

/// `key = value`, both trimmed.
struct ProfileLine {
  int number = 0;
  std::string key, value;
};

struct ProfileSections {
  int header = 0;  ///< line of [profile]
  std::vector<ProfileLine> profile, points;
};

/// `file:line: ` in front of an error's text.
Error at_line(const std::string& file, int line, Error error);

/// Errors: kInvalid, with file and line.
Result<ProfileSections> read_sections(const std::string& file, std::string_view text);

}  // namespace metergate
