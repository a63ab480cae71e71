#include "agent/config/flag_file.h"

#include "agent/base/text.h"
#include "agent/base/utf8.h"

namespace metergate {

namespace {

bool starts_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

}  // namespace

Result<std::vector<std::string>> text_lines(std::string_view content) {
  if (starts_with(content, "\xFF\xFE") || starts_with(content, "\xFE\xFF")) {
    return Error{Errc::kInvalid, "the file is UTF-16; save it as UTF-8"};
  }
  if (starts_with(content, "\xEF\xBB\xBF")) content.remove_prefix(3);
  std::vector<std::string> lines = split(content, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!is_utf8(lines[i]) || lines[i].find('\0') != std::string::npos) {
      return Error{Errc::kInvalid, "line " + std::to_string(i + 1) + " is not UTF-8 text; save the file as UTF-8"};
    }
    if (!lines[i].empty() && lines[i].back() == '\r') lines[i].pop_back();
  }
  return lines;
}

std::variant<std::vector<FlagLine>, UsageError> parse_flag_file(const std::string& path, std::string_view content) {
  const auto lines = text_lines(content);
  if (!lines) return UsageError{path + ": " + lines.error().detail, kWrongFile};
  std::vector<FlagLine> settings;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const std::string_view line = trim((*lines)[i]);
    if (line.empty() || line[0] == '#') continue;
    const Place place = path + ":" + std::to_string(i + 1);
    const std::size_t equals = line.find('=');
    const std::string_view name = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || name.empty()) {
      return UsageError{place + ": " + in_quotes(line) + " is not 'name = value'", kWrongFile};
    }
    settings.push_back({std::string(name), std::string(trim(line.substr(equals + 1))), place});
  }
  return settings;
}

std::variant<std::vector<FlagLine>, UsageError> read_flag_file(const std::string& path) {
  const auto content = read_file(path);
  if (!content) return UsageError{content.error().detail, kWrongFile};
  return parse_flag_file(path, *content);
}

}  // namespace metergate
