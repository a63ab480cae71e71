#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/config/options.h"

namespace metergate {

/// One `name = value` of a file.
struct FlagLine {
  std::string name;
  std::string value;  ///< verbatim but for the blanks around it: no quotes, and a '#' in it is a '#'
  Place place;        ///< `site.conf:12`
};

/// `name = value` a line; empty lines and lines that start with '#' say nothing. Byte order mark and CRLF are accepted.
/// Errors: status 78, with file and line.
std::variant<std::vector<FlagLine>, UsageError> parse_flag_file(const std::string& path, std::string_view content);
std::variant<std::vector<FlagLine>, UsageError> read_flag_file(const std::string& path);

/// The lines of a text file that people edit, without their ends and without a UTF-8 byte order mark. Errors: kInvalid
/// for a file that is no UTF-8 text (UTF-16 is named).
Result<std::vector<std::string>> text_lines(std::string_view content);

}  // namespace metergate
