#include "agent/config/option_parsers.h"

#include <algorithm>
#include <set>

#include "agent/base/text.h"
#include "agent/base/utf8.h"
#include "agent/config/spec.h"

namespace metergate {

namespace {

constexpr std::size_t kLongestPrefix = 200;

bool only(std::string_view text, std::size_t longest, bool (*good)(char)) {
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), good);
}

constexpr int kHighestUnit = 255;

/// The words of a list, each once.
Result<std::vector<std::string>> words_of(const std::string& value, const std::vector<std::string>& known) {
  std::vector<std::string> words;
  for (const std::string& part : split(value, ',')) {
    const std::string word(trim(part));
    if (std::count(known.begin(), known.end(), word) == 0) return Error{Errc::kInvalid, not_one_of(word, known)};
    if (std::count(words.begin(), words.end(), word) == 0) words.push_back(word);
  }
  return words;
}

}  // namespace

Result<std::string> parse_gateway_id(const std::string& value) {
  const bool good = only(value, 64, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (good) return value;
  return Error{Errc::kInvalid, in_quotes(value) + " is not 1 to 64 letters, digits, '_' or '-'"};
}

Result<std::string> parse_client_id(const std::string& value) {
  if (only(value, 128, [](char c) { return c > ' ' && c <= '~'; })) return value;
  return Error{Errc::kInvalid, in_quotes(value) + " is not 1 to 128 printable ASCII characters without blanks"};
}

Result<std::string> parse_topic_prefix(const std::string& value) {
  const auto wrong = [&value](const std::string& why) { return Error{Errc::kInvalid, in_quotes(value) + " " + why}; };
  const bool control =
      std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (value.size() > kLongestPrefix || control || !is_utf8(value)) return wrong("is not up to 200 bytes of UTF-8 text");
  if (value.find_first_of("+#") != std::string::npos) return wrong("has a wildcard; '+' and '#' are for subscribers");
  if (value[0] == '$') return wrong("starts with '$', which is the broker's own");
  const std::vector<std::string> levels = split(value, '/');
  if (std::find(levels.begin(), levels.end(), "") != levels.end()) {
    return wrong("has an empty level; a '/' stands between two levels only");
  }
  return value;
}

Result<Millis> parse_keep_alive(const std::string& value) {
  auto time = parse_duration(value, std::chrono::seconds(1), std::chrono::seconds(65535));
  if (time && *time % std::chrono::seconds(1) != Millis{0})
    return Error{Errc::kInvalid, in_quotes(value) + " is not in whole seconds"};
  return time;
}

Result<Block> parse_data_item(const std::string& value) {
  const bool hex = value.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  for (const Family family : {Family::kDlt645, Family::kDlt645Of1997}) {
    if (!hex || static_cast<int>(value.size()) != 2 * item_width(family)) continue;
    return whole_item(static_cast<std::uint32_t>(std::stoul(value, nullptr, 16)), family);
  }
  return Error{Errc::kInvalid, in_quotes(value) + " is no data item of 8 hex digits (1997: 4), such as 00010000"};
}

Result<std::int64_t> parse_register_address(const std::string& value) {
  const bool hex = value.compare(0, 2, "0x") == 0 && value.size() > 2 && value.size() <= 6 &&
                   value.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos;
  if (hex) return std::int64_t{std::stoi(value.substr(2), nullptr, 16)};
  auto number = parse_integer(value, 0, 65535);
  if (number) return number;
  return Error{Errc::kInvalid, in_quotes(value) + " is not a zero-based address from 0 to 65535 or 0x0 to 0xFFFF"};
}

Result<std::vector<int>> parse_units(const std::string& value) {
  std::set<int> units;
  for (const std::string& part : split(value, ',')) {
    const auto ends = split(std::string(trim(part)), '-');
    const auto first = parse_integer(ends.front(), 0, kHighestUnit);
    const auto last = parse_integer(ends.back(), 0, kHighestUnit);
    if (ends.size() > 2 || !first || !last || *last < *first) {
      return Error{Errc::kInvalid, in_quotes(part) + " is no unit and no range of units, such as 1-32,40"};
    }
    for (auto unit = *first; unit <= *last; ++unit) units.insert(static_cast<int>(unit));
  }
  return std::vector<int>(units.begin(), units.end());
}

Result<std::vector<int>> parse_bauds(const std::string& value) {
  const auto words = words_of(value, known_bauds());
  if (!words) return words.error();
  std::vector<int> bauds;
  for (const std::string& word : *words) bauds.push_back(std::stoi(word));
  return bauds;
}

Result<std::vector<std::string>> parse_protocols(const std::string& value) {
  return words_of(value, {"modbus", "dlt645"});
}

Result<std::vector<std::string>> parse_modes(const std::string& value) { return words_of(value, known_modes()); }

}  // namespace metergate
