#include "drivers/profile/register_codec.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace metergate {

namespace {

using Whole = Decimal::Mantissa;

std::uint64_t mask_of(int bits) { return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1; }

std::uint16_t swapped(std::uint16_t word) { return static_cast<std::uint16_t>(word << 8 | word >> 8); }

std::uint16_t word_at(std::uint64_t pattern, int from_right) {
  return static_cast<std::uint16_t>(pattern >> (16 * from_right) & 0xFFFF);
}

int words_in(const Point& point) { return part_words(point) * static_cast<int>(point.addresses.size()); }

/// The bytes of each part brought from the order in which they come into the order ABCD, or back.
Words permuted(const Point& point, const Words& words, bool back) {
  const std::string& order = point.byte_order;
  const auto part = static_cast<std::size_t>(part_words(point));
  Words out(words.size());
  for (std::size_t first = 0; first < words.size(); first += part) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto place = static_cast<std::size_t>(order[i] - 'A');
      const std::size_t from = back ? place : i, to = back ? i : place;
      const unsigned byte = words[first + from / 2] >> (from % 2 == 0 ? 8 : 0) & 0xFFU;
      std::uint16_t& word = out[first + to / 2];
      word = static_cast<std::uint16_t>(word | byte << (to % 2 == 0 ? 8 : 0));
    }
  }
  return out;
}

/// Words as they come, parts one behind the other, into the order ABCD; `back`: as they are sent.
Words ordered(const Point& point, Words words, bool back = false) {
  if (point.type == PointType::kU8 || point.type == PointType::kI8) return words;
  if (!point.byte_order.empty()) return permuted(point, words, back);
  if (point.order == WordOrder::kBADC || point.order == WordOrder::kDCBA) {
    std::transform(words.begin(), words.end(), words.begin(), swapped);
  }
  if (point.order == WordOrder::kCDAB || point.order == WordOrder::kDCBA) {
    for (auto part = words.begin(); part != words.end(); part += part_words(point)) {
      std::reverse(part, part + part_words(point));
    }
  }
  return words;
}

template <class Float, class Bits>
Float float_from(std::uint64_t pattern) {
  const auto bits = static_cast<Bits>(pattern);
  Float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class Bits, class Float>
std::uint64_t bits_from(Float value) {
  Bits bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// The bytes of each part of a point of data items, high first.
Words high_first(const Point& point, const Words& words) {
  Words out = words;
  auto from = out.begin();
  for (const Block& place : point.places) {
    std::reverse(from, from + place.count);
    from += place.count;
  }
  return out;
}

Whole twos_complement(std::uint64_t pattern, int bits) {
  const bool negative = (pattern >> (bits - 1) & 1) != 0;
  return negative ? Whole{pattern} - (Whole{1} << bits) : Whole{pattern};
}

std::optional<Whole> whole_from_bcd(std::uint64_t pattern, int digits) {
  Whole value = 0;
  for (int i = digits - 1; i >= 0; --i) {
    const auto digit = static_cast<int>(pattern >> (4 * i) & 0xF);
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

/// Groups of four decimal digits; in negative values each group is negative (Schneider ION meters).
std::optional<Whole> whole_from_m10k(std::uint64_t pattern, int groups) {
  Whole value = 0;
  for (int i = groups - 1; i >= 0; --i) {
    const auto group = static_cast<std::int16_t>(word_at(pattern, i));
    if (group > 9999 || group < -9999) return std::nullopt;
    value = value * 10000 + group;
  }
  return value;
}

std::optional<Whole> whole_of(const Point& point, std::uint64_t pattern) {
  const int bits = pattern_bits(point);
  switch (point.type) {
    case PointType::kI8:
    case PointType::kI16:
    case PointType::kI32:
    case PointType::kI48:
    case PointType::kI64:
      return twos_complement(pattern, bits);
    case PointType::kSm16:
    case PointType::kSm32: {
      const Whole magnitude = pattern & mask_of(bits - 1);
      return (pattern >> (bits - 1) & 1) != 0 ? -magnitude : magnitude;
    }
    case PointType::kBcd:
      return whole_from_bcd(pattern, bits / 4);
    case PointType::kSbcd: {
      const auto magnitude = whole_from_bcd(pattern & mask_of(bits - 1), bits / 4);
      return magnitude && (pattern >> (bits - 1) & 1) != 0 ? -*magnitude : magnitude;
    }
    case PointType::kM10k:
      return whole_from_m10k(pattern, bits / 16);
    default:
      return Whole{pattern};
  }
}

/// Patterns of the right width whose meaning whole_of decides; the caller checks that it is `value`.
std::uint64_t candidate_for(const Point& point, Whole value) {
  const Whole magnitude = value < 0 ? -value : value;
  const int bits = pattern_bits(point);
  std::uint64_t pattern = 0;
  Whole rest = magnitude;
  switch (point.type) {
    case PointType::kSm16:
    case PointType::kSm32:
      return static_cast<std::uint64_t>(magnitude) | (value < 0 ? std::uint64_t{1} << (bits - 1) : 0);
    case PointType::kBcd:
    case PointType::kSbcd:
      for (int i = 0; i < bits / 4; ++i, rest /= 10) pattern |= static_cast<std::uint64_t>(rest % 10) << (4 * i);
      if (point.type == PointType::kSbcd && value < 0) pattern |= std::uint64_t{1} << (bits - 1);
      return pattern;
    case PointType::kM10k:
      for (int i = 0; i < bits / 16; ++i, rest /= 10000) {
        const int group = static_cast<int>(rest % 10000) * (value < 0 ? -1 : 1);
        pattern |= static_cast<std::uint64_t>(static_cast<std::uint16_t>(group)) << (16 * i);
      }
      return pattern;
    default:
      return static_cast<std::uint64_t>(value) & mask_of(bits);
  }
}

}  // namespace

std::uint64_t pattern_of(const Point& point, const Words& words) {
  std::uint64_t pattern = 0;
  if (is_bits(point.table)) {
    for (std::size_t i = 0; i < words.size(); ++i) pattern |= std::uint64_t{words[i] != 0} << i;
    return pattern;
  }
  if (point.table == Table::kItem) {
    for (const std::uint16_t byte : high_first(point, words)) pattern = pattern << 8 | byte;
  } else {
    for (const std::uint16_t word : ordered(point, words)) pattern = pattern << 16 | word;
  }
  if (point.type == PointType::kBits) pattern >>= point.bit_first;
  if (point.high_byte) pattern >>= 8;
  return pattern & mask_of(pattern_bits(point));
}

Words words_for(const Point& point, std::uint64_t pattern) {
  Words words;
  for (int i = words_in(point) - 1; i >= 0; --i) words.push_back(word_at(pattern, i));
  return ordered(point, std::move(words), true);
}

Result<std::optional<Decimal>> number_of(const Point& point, std::uint64_t pattern) {
  if (point.type == PointType::kF32) return Decimal::from_float(float_from<float, std::uint32_t>(pattern));
  if (point.type == PointType::kF64) return Decimal::from_double(float_from<double, std::uint64_t>(pattern));
  const auto whole = whole_of(point, pattern);
  if (!whole) return Error{Errc::kInvalid, "bad_bcd"};
  return std::optional<Decimal>(Decimal(*whole));
}

std::optional<std::uint64_t> pattern_for(const Point& point, const Decimal& number) {
  std::uint64_t pattern = 0;
  if (point.type == PointType::kF32) {
    pattern = bits_from<std::uint32_t>(number.to_float());
  } else if (point.type == PointType::kF64) {
    pattern = bits_from<std::uint64_t>(number.to_double());
  } else {
    const auto whole = number.whole();
    if (!whole) return std::nullopt;
    pattern = candidate_for(point, *whole);
  }
  const auto back = number_of(point, pattern);
  if (!back || !*back || !(**back == number)) return std::nullopt;
  return pattern;
}

int part_words(const Point& point) { return point.registers * point.register_bytes / kRegisterBytes; }

int item_bytes(const Point& point) {
  int bytes = 0;
  for (const Block& place : point.places) bytes += place.count;
  return bytes;
}

int pattern_bits(const Point& point) {
  if (point.type == PointType::kBits) return point.bit_width;
  if (point.table == Table::kItem) return 8 * item_bytes(point);
  if (point.type == PointType::kU8 || point.type == PointType::kI8) return 8;
  return 16 * words_in(point);
}

std::string bytes_of(const Point& point, const Words& words) {
  std::string bytes;
  if (point.table == Table::kItem) {
    for (const std::uint16_t byte : high_first(point, words)) bytes += static_cast<char>(byte);
    return bytes;
  }
  for (const std::uint16_t word : ordered(point, words)) {
    if (point.chars == 2 || point.high_byte) bytes += static_cast<char>(word >> 8);
    if (point.chars == 2 || !point.high_byte) bytes += static_cast<char>(word & 0xFF);
  }
  return bytes;
}

}  // namespace metergate
