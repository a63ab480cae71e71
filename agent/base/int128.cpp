#include "agent/base/int128.h"

#include <array>
#include <cstdlib>

namespace metergate {

namespace {

constexpr std::uint64_t kDigit = 0xFFFFFFFF;

}  // namespace

WideInteger operator*(const WideInteger& a, const WideInteger& b) {
  const std::uint64_t a_low = a.low_ & kDigit;
  const std::uint64_t a_high = a.low_ >> 32;
  const std::uint64_t b_low = b.low_ & kDigit;
  const std::uint64_t b_high = b.low_ >> 32;
  const std::uint64_t first = a_low * b_low;
  const std::uint64_t second = a_high * b_low + (first >> 32);
  const std::uint64_t third = a_low * b_high + (second & kDigit);
  const std::uint64_t high = a_high * b_high + (second >> 32) + (third >> 32);
  return WideInteger(high + a.high_ * b.low_ + a.low_ * b.high_, third << 32 | (first & kDigit));
}

WideInteger operator/(const WideInteger& a, const WideInteger& b) {
  // Both magnitudes are less than 2^128 as unsigned numbers, also that of the smallest value.
  const WideInteger dividend = a.negative() ? -a : a;
  const WideInteger divisor = b.negative() ? -b : b;
  if (divisor.high_ == 0 && divisor.low_ == 0) std::abort();  // as the processor does
  WideInteger quotient;
  if (divisor.high_ == 0 && divisor.low_ <= kDigit) {
    // By hand, as on paper, with digits of 32 bits.
    std::uint64_t rest = 0;
    std::array<std::uint64_t, 4> digits{dividend.high_ >> 32, dividend.high_ & kDigit, dividend.low_ >> 32,
                                        dividend.low_ & kDigit};
    for (std::uint64_t& digit : digits) {
      const std::uint64_t part = rest << 32 | digit;
      digit = part / divisor.low_;
      rest = part % divisor.low_;
    }
    quotient = WideInteger(digits[0] << 32 | digits[1], digits[2] << 32 | digits[3]);
  } else {
    // Bit by bit. The divisor is at least 2^32, so the rest, less than it or 2^127, has room for one bit more.
    WideInteger rest;
    for (int bit = 127; bit >= 0; --bit) {
      const std::uint64_t next = (bit >= 64 ? dividend.high_ >> (bit - 64) : dividend.low_ >> bit) & 1;
      rest = rest << 1;
      rest.low_ |= next;
      const bool fits = rest.high_ != divisor.high_ ? rest.high_ > divisor.high_ : rest.low_ >= divisor.low_;
      if (!fits) continue;
      rest = rest - divisor;
      quotient = quotient + (WideInteger(1) << bit);
    }
  }
  return a.negative() == b.negative() ? quotient : -quotient;
}

}  // namespace metergate
