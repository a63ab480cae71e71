#pragma once

#include <cstdint>
#include <type_traits>

namespace metergate {

/// A signed integer of 128 bits, for compilers that have none (32-bit ARM). Two's complement; it wraps as unsigned
/// integers do, and a quotient is cut towards zero. What is divided by must not be 0.
class WideInteger {
 public:
  constexpr WideInteger() = default;
  template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
  constexpr WideInteger(Integer value)
      : low_(static_cast<std::uint64_t>(value)),
        high_(std::is_signed_v<Integer> && value < 0 ? ~std::uint64_t{0} : 0) {}
  template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
  constexpr explicit operator Integer() const {
    return static_cast<Integer>(low_);
  }

  constexpr WideInteger operator-() const { return WideInteger(~high_ + (low_ == 0), ~low_ + 1); }
  friend constexpr WideInteger operator+(const WideInteger& a, const WideInteger& b) {
    const std::uint64_t low = a.low_ + b.low_;
    return WideInteger(a.high_ + b.high_ + (low < a.low_), low);
  }
  friend constexpr WideInteger operator-(const WideInteger& a, const WideInteger& b) { return a + -b; }
  friend WideInteger operator*(const WideInteger& a, const WideInteger& b);
  friend WideInteger operator/(const WideInteger& a, const WideInteger& b);
  friend WideInteger operator%(const WideInteger& a, const WideInteger& b) { return a - a / b * b; }
  /// 0 <= bits < 128.
  constexpr WideInteger operator<<(int bits) const {
    if (bits == 0) return *this;
    if (bits >= 64) return WideInteger(low_ << (bits - 64), 0);
    return WideInteger(high_ << bits | low_ >> (64 - bits), low_ << bits);
  }
  WideInteger& operator/=(const WideInteger& by) { return *this = *this / by; }

  friend constexpr bool operator==(const WideInteger& a, const WideInteger& b) {
    return a.low_ == b.low_ && a.high_ == b.high_;
  }
  friend constexpr bool operator<(const WideInteger& a, const WideInteger& b) {
    if (a.high_ != b.high_) return (a.high_ ^ kSign) < (b.high_ ^ kSign);
    return a.low_ < b.low_;
  }
  friend constexpr bool operator!=(const WideInteger& a, const WideInteger& b) { return !(a == b); }
  friend constexpr bool operator>(const WideInteger& a, const WideInteger& b) { return b < a; }
  friend constexpr bool operator<=(const WideInteger& a, const WideInteger& b) { return !(b < a); }
  friend constexpr bool operator>=(const WideInteger& a, const WideInteger& b) { return !(a < b); }

 private:
  static constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

  constexpr WideInteger(std::uint64_t high, std::uint64_t low) : low_(low), high_(high) {}
  constexpr bool negative() const { return (high_ & kSign) != 0; }

  std::uint64_t low_ = 0, high_ = 0;
};

#ifdef __SIZEOF_INT128__
__extension__ using Int128 = __int128;
#else
using Int128 = WideInteger;
#endif

}  // namespace metergate
