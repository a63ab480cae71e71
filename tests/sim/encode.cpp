#include "tests/sim/encode.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "tests/sim/text.h"

namespace metersim {
namespace {

using Words = std::vector<std::uint16_t>;

std::uint16_t low_word(std::uint64_t value) { return static_cast<std::uint16_t>(value & 0xFFFFU); }

int words_in(const FilePoint& point) { return point.registers * static_cast<int>(point.addresses.size()); }

Words words_of(std::uint64_t pattern, int count) {
  Words words;
  for (int i = count - 1; i >= 0; --i) words.push_back(low_word(pattern >> (16U * static_cast<unsigned>(i))));
  return words;
}

/// Four decimal digits a register, high first: as a number, or as BCD.
Words grouped(std::int64_t value, int count, bool bcd) {
  Words words;
  for (int i = 0; i < count; ++i, value /= 10000) {
    auto group = static_cast<unsigned>(value % 10000);
    if (bcd) group = group / 1000 << 12U | group / 100 % 10 << 8U | group / 10 % 10 << 4U | group % 10;
    words.insert(words.begin(), low_word(group));
  }
  return words;
}

/// The order holds within each part.
void in_order(Words& words, const FilePoint& point) {
  if (point.order == "CDAB" || point.order == "DCBA")
    for (auto part = words.begin(); part != words.end(); part += point.registers)
      std::reverse(part, part + point.registers);
  if (point.order == "BADC" || point.order == "DCBA")
    for (auto& word : words) word = static_cast<std::uint16_t>(word << 8U | word >> 8U);
}

Field placed(const FilePoint& point, const Words& words, const Words& masks = {}) {
  Field field;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto each = static_cast<std::size_t>(point.registers);
    const auto address = point.addresses.at(i / each) + i % each;
    field.registers.push_back({low_word(address), words[i], masks.empty() ? std::uint16_t{0xFFFF} : masks[i]});
  }
  return field;
}

Field placed_in_order(const FilePoint& point, Words words, Words masks = {}) {
  in_order(words, point);
  in_order(masks, point);
  return placed(point, words, masks);
}

template <class Float, class Pattern>
Field float_field(const FilePoint& point, Float value, Exact& stored) {
  Pattern pattern = 0;
  static_assert(sizeof pattern == sizeof value);
  std::memcpy(&pattern, &value, sizeof pattern);
  char text[64];
  stored =
      parse_exact(std::string_view(text, static_cast<std::size_t>(std::to_chars(text, text + 64, value).ptr - text)));
  return placed_in_order(point, words_of(pattern, words_in(point)));
}

}  // namespace

Span span_of(const FilePoint& point) {
  if (point.is_bit() || point.type == "bits") return {0, (std::int64_t{1} << point.bits) - 1};
  if (point.type == "bcd" || point.type == "m10k")
    return {0, static_cast<std::int64_t>(std::pow(10000.0, words_in(point))) - 1};
  const bool negative = point.type[0] != 'u';
  const int bits = (point.type == "u8" || point.type == "i8" ? 8 : 16 * words_in(point)) - (negative ? 1 : 0);
  const std::int64_t most = bits >= 63 ? INT64_MAX : (std::int64_t{1} << static_cast<unsigned>(bits)) - 1;
  return {negative ? -most : 0, most};
}

Field encode_whole(const FilePoint& point, std::int64_t raw) {
  const int words = words_in(point);
  const auto pattern = static_cast<std::uint64_t>(raw);
  if (point.is_bit()) {
    Words bits;
    for (unsigned i = 0; i < point.bits; ++i) bits.push_back(low_word(pattern >> i & 1U));
    return placed(point, bits);
  }
  if (point.type == "bcd" || point.type == "m10k")
    return placed_in_order(point, grouped(raw, words, point.type == "bcd"));
  if (point.type == "sm16" || point.type == "sm32") {
    const std::uint64_t top = std::uint64_t{1} << (16U * static_cast<unsigned>(words) - 1U);
    return placed_in_order(point, words_of(raw < 0 ? top | static_cast<std::uint64_t>(-raw) : pattern, words));
  }
  if (point.type == "u8" || point.type == "i8") {
    const unsigned shift = point.key("byte", "low") == "high" ? 8 : 0;
    return placed(point, {low_word((pattern & 0xFFU) << shift)}, {low_word(0xFFU << shift)});
  }
  if (point.type == "bits") {
    const std::uint64_t mask = (std::uint64_t{1} << point.bits) - 1;
    return placed_in_order(point, {low_word((pattern & mask) << point.first_bit)}, {low_word(mask << point.first_bit)});
  }
  return placed_in_order(point, words_of(pattern, words));
}

Field encode_float(const FilePoint& point, double value, Exact& stored) {
  if (point.type == "f64") return float_field<double, std::uint64_t>(point, value, stored);
  return float_field<float, std::uint32_t>(point, static_cast<float>(value), stored);
}

Field encode_string(const FilePoint& point, std::string text) {
  const auto chars = static_cast<std::size_t>(point.number("chars", 2));
  const auto registers = static_cast<std::size_t>(point.registers);
  const unsigned shift = point.key("byte", "low") == "high" ? 8 : 0;
  text.resize(std::min(text.size(), registers * chars));
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned>(text[at]) : 0U; };
  Words words;
  for (std::size_t i = 0; i < registers; ++i)
    words.push_back(low_word(chars == 2 ? byte(2 * i) << 8U | byte(2 * i + 1) : byte(i) << shift));
  Field field = placed_in_order(point, words);
  field.json = json_string(text);
  return field;
}

Field encode_time(const FilePoint& point, double seconds) {
  const auto when = static_cast<time_t>(seconds);
  tm t{};
  gmtime_r(&when, &t);
  const std::string form = point.key("form", "unix");
  const int parts[] = {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec};
  const auto byte = [&](int i) {
    const auto part = static_cast<unsigned>(parts[i] % 100);
    return form == "bcd" ? part / 10 << 4U | part % 10 : part;
  };
  Words words;
  if (form == "unix") {
    words = words_of(static_cast<std::uint64_t>(when), words_in(point));
  } else if (words_in(point) == 3) {
    for (int i = 0; i < 6; i += 2) words.push_back(low_word(byte(i) << 8U | byte(i + 1)));
  } else {
    for (const int part : parts) words.push_back(low_word(static_cast<std::uint64_t>(part)));
  }
  char text[32];
  strftime(text, sizeof text, form == "unix" ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%dT%H:%M:%S", &t);
  Field field = placed_in_order(point, words);
  field.json = json_string(text);
  return field;
}

}  // namespace metersim
