#include "drivers/profile/profile_tokens.h"

#include <algorithm>
#include <charconv>

namespace metergate {

bool is_hexadecimal(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

std::optional<Decimal::Mantissa> whole_number(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  const int base = is_hexadecimal(text) ? 16 : 10;
  if (negative) text.remove_prefix(1);
  if (base == 16) text.remove_prefix(2);
  std::uint64_t magnitude = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, magnitude, base);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  const Decimal::Mantissa value = magnitude;
  return negative ? -value : value;
}

Result<int> number_within(std::string_view text, int min, int max, const std::string& what) {
  const auto value = whole_number(text);
  if (!value || *value < min || *value > max) {
    return wrong(text, what + " is a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return static_cast<int>(*value);
}

bool is_point_name(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && text.size() <= 64 && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; });
}

Result<std::vector<std::string>> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  std::string token;
  bool in_token = false;
  bool quoted = false;
  for (const char c : text) {
    if (!quoted && (c == ' ' || c == '\t')) {
      if (in_token) tokens.push_back(token);
      token.clear();
      in_token = false;
      continue;
    }
    in_token = true;
    if (c == '"') {
      quoted = !quoted;
    } else {
      token += c;
    }
  }
  if (quoted) return wrong(text.substr(text.rfind('"')), "a double quote needs a second one");
  if (in_token) tokens.push_back(token);
  return tokens;
}

}  // namespace metergate
