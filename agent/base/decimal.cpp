#include "agent/base/decimal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <utility>

namespace metergate {

namespace {

using Mantissa = Decimal::Mantissa;

constexpr int kLargestExponent = 9999;
constexpr std::size_t kLongestPlain = 40;

// Plain operators, and no built-in check for overflow: what clang makes of that needs a library that GNU systems lack.
// The smallest value is left out, so that nothing overflows when it is negated.
constexpr Mantissa kMost = (Mantissa{1} << 126) - 1 + (Mantissa{1} << 126);

Mantissa magnitude_of(Mantissa value) { return value < 0 ? -value : value; }

/// Most values need half of the bits, and arithmetic in 64 bits takes a tenth of the time of that in 128.
bool is_short(Mantissa value) { return value <= INT64_MAX && value >= -Mantissa{INT64_MAX}; }

bool multiply(Mantissa a, Mantissa b, Mantissa* out) {
  const bool fits = is_short(a) && is_short(b);
  if (!fits && b != 0 && magnitude_of(a) > kMost / magnitude_of(b)) return false;
  *out = a * b;
  return true;
}

bool add(Mantissa a, Mantissa b, Mantissa* out) {
  if (b > 0 ? a > kMost - b : a < -kMost - b) return false;
  *out = a + b;
  return true;
}

/// Multiplies by 10^power; false when it does not fit.
bool scale_up(Mantissa* value, int power) {
  if (*value == 0) return true;
  for (; power > 0; --power) {
    if (!multiply(*value, 10, value)) return false;
  }
  return true;
}

std::string digits_of(Mantissa magnitude) {
  if (is_short(magnitude)) return std::to_string(std::abs(static_cast<std::int64_t>(magnitude)));
  std::string digits;
  // Taken digit by digit from the signed value: the smallest one has no positive twin.
  for (; magnitude != 0; magnitude /= 10) {
    digits += static_cast<char>('0' + std::abs(static_cast<int>(magnitude % 10)));
  }
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Mantissa greatest_common_divisor(Mantissa a, Mantissa b) {
  while (b != 0) {
    const Mantissa rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The digits of a JSON number, with trailing zeros held back so that they cost no room.
class Digits {
 public:
  bool push(char c, bool fraction) {
    if (fraction) --exponent_;
    ++zeros_;
    if (c == '0') return true;
    if (!scale_up(&mantissa_, zeros_) || !add(mantissa_, c - '0', &mantissa_)) return false;
    zeros_ = 0;
    return true;
  }
  Mantissa mantissa() const { return mantissa_; }
  long exponent() const { return exponent_ + zeros_; }

 private:
  Mantissa mantissa_ = 0;
  int zeros_ = 0;
  long exponent_ = 0;
};

template <class Float>
std::optional<Decimal> from_floating(Float value) {
  if (!std::isfinite(value)) return std::nullopt;
  std::array<char, 64> text;
  // Scientific form: the plain one prints all digits of a large whole number, not the fewest.
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
  return Decimal::parse(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
}

template <class Float>
Float to_floating(const std::string& text, bool large, bool negative) {
  Float value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) return value;
  const Float magnitude = large ? std::numeric_limits<Float>::infinity() : 0;
  return negative ? -magnitude : magnitude;
}

}  // namespace

Decimal::Decimal(Mantissa mantissa, int exponent) : mantissa_(mantissa), exponent_(exponent) {
  while (mantissa_ != 0 && !is_short(mantissa_) && mantissa_ % 10 == 0) {
    mantissa_ /= 10;
    ++exponent_;
  }
  if (is_short(mantissa_)) {
    auto rest = static_cast<std::int64_t>(mantissa_);
    for (; rest != 0 && rest % 10 == 0; rest /= 10) ++exponent_;
    mantissa_ = rest;
  }
  if (mantissa_ == 0) exponent_ = 0;
}

std::optional<Decimal> Decimal::made(Mantissa mantissa, long exponent) {
  if (mantissa == 0) return Decimal{};
  if (std::labs(exponent) > kLargestExponent || mantissa < -kMost) return {};
  return Decimal(mantissa, static_cast<int>(exponent));
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  Digits digits;
  std::size_t i = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) {
    if (!digits.push(text[i], false)) return std::nullopt;
  }
  if (i == 0 || (i > 1 && text.front() == '0')) return std::nullopt;
  if (i < text.size() && text[i] == '.') {
    const std::size_t first = ++i;
    for (; i < text.size() && is_digit(text[i]); ++i) {
      if (!digits.push(text[i], true)) return std::nullopt;
    }
    if (i == first) return std::nullopt;
  }
  int exponent = 0;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    const char* const end = text.data() + text.size();
    const char* const from = text.data() + i;
    const auto parsed = std::from_chars(from, end, exponent);
    if (parsed.ec != std::errc{} || parsed.ptr != end || (*from == '-' && text[i - 1] == '+')) return std::nullopt;
    i = text.size();
  }
  if (i != text.size()) return std::nullopt;
  return made(negative ? -digits.mantissa() : digits.mantissa(), digits.exponent() + exponent);
}

std::optional<Decimal> Decimal::from_float(float value) { return from_floating(value); }
std::optional<Decimal> Decimal::from_double(double value) { return from_floating(value); }

std::optional<Decimal> Decimal::times(const Decimal& other) const {
  Mantissa product = 0;
  if (!multiply(mantissa_, other.mantissa_, &product)) return std::nullopt;
  return made(product, static_cast<long>(exponent_) + other.exponent_);
}

std::optional<Decimal> Decimal::plus(const Decimal& other) const {
  if (mantissa_ == 0) return other;
  if (other.mantissa_ == 0) return *this;
  const int exponent = std::min(exponent_, other.exponent_);
  Mantissa a = mantissa_;
  Mantissa b = other.mantissa_;
  Mantissa sum = 0;
  if (!scale_up(&a, exponent_ - exponent) || !scale_up(&b, other.exponent_ - exponent) || !add(a, b, &sum)) {
    return std::nullopt;
  }
  return made(sum, exponent);
}

std::optional<Decimal> Decimal::divided_by(const Decimal& other) const {
  if (other.mantissa_ == 0) return std::nullopt;
  const Mantissa common = greatest_common_divisor(mantissa_, other.mantissa_);
  Mantissa numerator = mantissa_ / common;
  Mantissa denominator = other.mantissa_ / common;
  long exponent = static_cast<long>(exponent_) - other.exponent_;
  // Only twos and fives in the denominator make a finite decimal: each is turned into a ten.
  for (const auto& [factor, complement] : {std::pair{2, 5}, std::pair{5, 2}}) {
    for (; denominator % factor == 0; --exponent) {
      denominator /= factor;
      if (!multiply(numerator, complement, &numerator)) return std::nullopt;
    }
  }
  if (denominator != 1 && denominator != -1) return std::nullopt;
  return made(numerator * denominator, exponent);
}

Decimal Decimal::negated() const { return Decimal(-mantissa_, exponent_); }

std::optional<Decimal> Decimal::shifted(int power) const {
  return made(mantissa_, static_cast<long>(exponent_) + power);
}

std::optional<Mantissa> Decimal::whole() const {
  if (exponent_ < 0) return std::nullopt;  // normalised: then the last digit is not zero
  Mantissa value = mantissa_;
  if (!scale_up(&value, exponent_)) return std::nullopt;
  return value;
}

double Decimal::to_double() const { return to_floating<double>(text(), exponent_ > 0, mantissa_ < 0); }
float Decimal::to_float() const { return to_floating<float>(text(), exponent_ > 0, mantissa_ < 0); }

std::string Decimal::text() const {
  if (mantissa_ == 0) return "0";
  const std::string digits = digits_of(mantissa_);
  const std::string sign = mantissa_ < 0 ? "-" : "";
  const int point = static_cast<int>(digits.size()) + exponent_;  // digits before the decimal point
  const int zeros = exponent_ >= 0 ? exponent_ : std::max(0, -point);
  if (static_cast<std::size_t>(zeros) < kLongestPlain) {
    const std::string filler(static_cast<std::size_t>(zeros), '0');
    const auto before = static_cast<std::size_t>(std::max(0, point));
    std::string plain = sign + (exponent_ >= 0 ? digits + filler
                                : point <= 0   ? "0." + filler + digits
                                               : digits.substr(0, before) + "." + digits.substr(before));
    if (plain.size() <= kLongestPlain) return plain;
  }
  const std::string fraction = digits.size() > 1 ? "." + digits.substr(1) : "";
  return sign + digits.substr(0, 1) + fraction + "e" + std::to_string(point - 1);
}

int Decimal::compare(const Decimal& other) const {
  const auto sign = [](Mantissa m) { return m < 0 ? -1 : m > 0 ? 1 : 0; };
  const int ours = sign(mantissa_);
  if (ours != sign(other.mantissa_)) return ours < sign(other.mantissa_) ? -1 : 1;
  if (exponent_ == other.exponent_) return mantissa_ < other.mantissa_ ? -1 : mantissa_ > other.mantissa_ ? 1 : 0;
  const std::string a = digits_of(mantissa_);
  const std::string b = digits_of(other.mantissa_);
  const int order = static_cast<int>(a.size()) + exponent_ - static_cast<int>(b.size()) - other.exponent_;
  // With the first digits at the same place, digit strings without trailing zeros compare as text.
  return ours * (order != 0 ? order : a.compare(b));
}

}  // namespace metergate
