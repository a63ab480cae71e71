#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/config/spec.h"

namespace metergate {

/// The meters of a table: a header of --meter's keys, one meter a row, an empty cell is a key not given. The header
/// tells the separator: comma, semicolon or tab. Fields may stand in double quotes, `""` is one quote in them. Empty
/// lines and lines that start with '#' say nothing. Byte order mark and CRLF are accepted. Errors: status 78, with file
/// and line.
std::variant<std::vector<MeterAndPoll>, UsageError> parse_meter_table(const std::string& path,
                                                                      std::string_view content);
std::variant<std::vector<MeterAndPoll>, UsageError> read_meter_table(const std::string& path);

}  // namespace metergate
