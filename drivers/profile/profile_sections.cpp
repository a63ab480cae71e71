#include "drivers/profile/profile_sections.h"

#include <algorithm>

#include "agent/base/utf8.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

Status check_characters(std::string_view line) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; };
  if (std::none_of(line.begin(), line.end(), is_control) && is_utf8(line)) return {};
  std::string shown;
  for (const char c : line.substr(0, 40)) shown += c >= ' ' && c < 0x7F ? c : '?';
  return wrong(shown, "a profile is UTF-8 text");
}

/// Takes one line in; `section` is the one it stands in, null before the first.
Status take_line(const ProfileLine& line, std::string_view text, ProfileSections* sections,
                 std::vector<ProfileLine>** section) {
  if (text.front() == '[') {
    if (text == "[profile]" && sections->header == 0) {
      sections->header = line.number;
      *section = &sections->profile;
    } else if (text == "[points]" && *section == &sections->profile) {
      *section = &sections->points;
    } else {
      return wrong(text, "a profile has one [profile] and then one [points]" + hint(text, {"[profile]", "[points]"}));
    }
    return {};
  }
  if (*section == nullptr) return wrong(text, "a profile begins with [profile]");
  if (line.key.empty() || text.find('=') == std::string_view::npos) {
    return wrong(text, *section == &sections->profile ? "a line is KEY = VALUE"
                                                      : "a line is NAME = TABLE ADDRESS TYPE key=value ...");
  }
  (*section)->push_back(line);
  return {};
}

}  // namespace

Error at_line(const std::string& file, int line, Error error) {
  error.detail = file + ":" + std::to_string(line) + ": " + error.detail;
  return error;
}

Result<ProfileSections> read_sections(const std::string& file, std::string_view text) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  ProfileSections sections;
  std::vector<ProfileLine>* section = nullptr;
  ProfileLine line;
  while (!text.empty()) {
    ++line.number;
    const std::size_t end = text.find('\n');
    const std::string_view content = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (Status checked = check_characters(content); !checked) return at_line(file, line.number, checked.error());
    if (content.empty() || content.front() == '#') continue;
    const std::size_t equals = std::min(content.find('='), content.size());
    line.key = trim(content.substr(0, equals));
    line.value = trim(content.substr(std::min(equals + 1, content.size())));
    if (Status taken = take_line(line, content, &sections, &section); !taken) {
      return at_line(file, line.number, taken.error());
    }
  }
  if (sections.header == 0) return at_line(file, 1, wrong("", "a profile begins with [profile]"));
  return sections;
}

}  // namespace metergate
