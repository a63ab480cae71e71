#include "agent/base/int128.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace metergate {
namespace {

std::int64_t upper(const WideInteger& value) {
  // Cut towards zero, so from a value that is a multiple.
  const WideInteger two_to_32 = WideInteger(1) << 32;
  const WideInteger low = static_cast<std::uint64_t>(value);
  return static_cast<std::int64_t>((value - low) / two_to_32 / two_to_32);
}

TEST(WideIntegerTest, KeepsEveryIntegerThatItIsMadeOf) {
  EXPECT_EQ(static_cast<std::int64_t>(WideInteger(-7)), -7);
  EXPECT_EQ(static_cast<std::uint64_t>(WideInteger(~std::uint64_t{0})), ~std::uint64_t{0});
  EXPECT_LT(WideInteger(-1), WideInteger(0));
  EXPECT_GT(WideInteger(~std::uint64_t{0}), WideInteger(0));
  EXPECT_EQ(upper(WideInteger(-1) * (WideInteger(1) << 100)), -(std::int64_t{1} << 36));
}

TEST(WideIntegerTest, DividesWhatIsLargerThan64Bits) {
  const WideInteger large = WideInteger(1'000'000'000'000'000'000) * 1'000'000'000'000'000'000;
  EXPECT_TRUE(large / 1'000'000'000'000'000'000 == 1'000'000'000'000'000'000);
  EXPECT_TRUE(large % 10 == 0);
  EXPECT_TRUE((large + 7) % 10 == 7);
  EXPECT_TRUE(-(large + 7) % 10 == -7);
  EXPECT_TRUE(large / (large - 1) == 1);
  EXPECT_TRUE(large / -large == -1);
}

#ifdef __SIZEOF_INT128__
__extension__ using Native = __int128;
__extension__ using Unsigned = unsigned __int128;

bool same(const WideInteger& a, Native b) {
  return static_cast<std::uint64_t>(a) == static_cast<std::uint64_t>(b) &&
         upper(a) == static_cast<std::int64_t>((b - static_cast<Native>(static_cast<std::uint64_t>(b))) >> 64);
}

/// Of all sizes, and the edges.
std::vector<std::pair<WideInteger, Native>> samples() {
  std::vector<std::pair<WideInteger, Native>> made;
  std::mt19937_64 random(5);
  for (int bits = 1; bits < 126; bits += 3) {
    const std::uint64_t high = random();
    const std::uint64_t low = random();
    WideInteger wide = (WideInteger(high >> 1) << 64) + low;
    Native native = (static_cast<Native>(high >> 1) << 64) + low;
    wide = wide % (WideInteger(1) << bits);
    native = native % (static_cast<Native>(1) << bits);
    made.push_back({wide, native});
    made.push_back({-wide, -native});
  }
  const Native most = (static_cast<Native>(1) << 126) - 1 + (static_cast<Native>(1) << 126);
  const WideInteger wide_most = (WideInteger(1) << 126) - 1 + (WideInteger(1) << 126);
  for (const int edge : {0, 1, -1, 10}) made.push_back({edge, edge});
  made.push_back({wide_most, most});
  made.push_back({-wide_most, -most});
  return made;
}

TEST(WideIntegerTest, CalculatesAsTheCompilersOwnIntegers) {
  for (const auto& [a, x] : samples()) {
    for (const auto& [b, y] : samples()) {
      EXPECT_EQ(a < b, x < y);
      EXPECT_EQ(a == b, x == y);
      Native sum = 0;
      const bool sum_fits = !__builtin_add_overflow(x, y, &sum);
      EXPECT_TRUE(!sum_fits || same(a + b, sum));
      EXPECT_TRUE(same(a * b, static_cast<Native>(static_cast<Unsigned>(x) * static_cast<Unsigned>(y))));
      if (y == 0) continue;
      EXPECT_TRUE(same(a / b, x / y));
      EXPECT_TRUE(same(a % b, x % y));
    }
  }
}
#endif

}  // namespace
}  // namespace metergate
