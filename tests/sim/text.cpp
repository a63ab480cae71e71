#include "tests/sim/text.h"

#include <charconv>
#include <cstdio>

namespace metersim {

std::string trimmed(std::string_view text) {
  const char* blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (auto at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.emplace_back(text);
  return parts;
}

std::pair<std::string, std::string> key_value(std::string_view text) {
  const auto at = text.find('=');
  if (at == std::string_view::npos) return {trimmed(text), {}};
  return {trimmed(text.substr(0, at)), trimmed(text.substr(at + 1))};
}

std::int64_t whole_number(const std::string& text, std::int64_t least, std::int64_t most, const std::string& what) {
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const char* end = text.data() + text.size();
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
  if (error != std::errc{} || stop != end || text.empty() || value < least || value > most)
    throw Refused(what + ": '" + text + "' is no whole number of " + std::to_string(least) + " to " +
                  std::to_string(most));
  return value;
}

Nanos duration(const std::string& text) {
  double amount = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const std::string unit(stop, text.data() + text.size());
  const double scale = unit == "us" ? 1e3 : unit == "s" ? 1e9 : unit.empty() || unit == "ms" ? 1e6 : 0;
  if (error != std::errc{} || scale <= 0 || amount < 0 || amount > 3600)
    throw Refused("'" + text + "' is no duration such as 20ms, 100us or 2s (at most 3600)");
  return static_cast<Nanos>(amount * scale);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace metersim
