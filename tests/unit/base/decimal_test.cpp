#include "agent/base/decimal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace metergate {
namespace {

Decimal number(const std::string& text) {
  const auto value = Decimal::parse(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(Decimal{});
}

std::string text_of(const std::optional<Decimal>& value) { return value ? value->text() : "none"; }

struct Pair {
  std::string in;
  std::string out;
};

TEST(DecimalTest, PrintsWhatItReadInItsShortestForm) {
  const Pair cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0.000", "0"},
      {"0e7", "0"},
      {"1", "1"},
      {"-12.50", "-12.5"},
      {"-12.50e3", "-12500"},
      {"1E+2", "100"},
      {"1e-2", "0.01"},
      {"230.10", "230.1"},
      {"184467440737095516.15", "184467440737095516.15"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
      {"1.000000000000000000000000000000000000000000000000", "1"},
      {"1000000000000000000000000000000", "1000000000000000000000000000000"},
      {"1.5e60", "1.5e60"},
      {"1e60", "1e60"},
      {"-1.25e-60", "-1.25e-60"},
      {"0.00000000000000000000000000000000001", "0.00000000000000000000000000000000001"},
      {"0.00000000000000000000000000000000000000001", "1e-41"},
  };
  for (const Pair& c : cases) EXPECT_EQ(text_of(Decimal::parse(c.in)), c.out) << c.in;
}

TEST(DecimalTest, RefusesWhatIsNoJsonNumber) {
  for (const char* text :
       {"",     "-",   "+1", "01", "-01", "1.",  ".5",    "1.e3", "1e",    "1e+",           "1e+-3",  "1e--3",
        "0x10", "1,5", " 1", "1 ", "NaN", "inf", "1e3.5", "--1",  "1_000", "1e99999999999", "1e10000"}) {
    EXPECT_EQ(text_of(Decimal::parse(text)), "none") << text;
  }
}

TEST(DecimalTest, RefusesMoreDigitsThanFitInsteadOfRounding) {
  EXPECT_EQ(text_of(Decimal::parse("170141183460469231731687303715884105727")),
            "170141183460469231731687303715884105727");
  EXPECT_FALSE(Decimal::parse("170141183460469231731687303715884105728"));
  EXPECT_FALSE(Decimal::parse("1.234567890123456789012345678901234567890123"));
}

TEST(DecimalTest, PrintsAFloatInTheFewestDigitsThatReadBackAsTheSameFloat) {
  EXPECT_EQ(text_of(Decimal::from_float(0.1f)), "0.1");
  EXPECT_EQ(text_of(Decimal::from_float(230.1f)), "230.1");
  EXPECT_EQ(text_of(Decimal::from_float(-0.0f)), "0");
  EXPECT_EQ(text_of(Decimal::from_float(16777216.0f)), "16777216");
  EXPECT_EQ(text_of(Decimal::from_float(1099511627776.0f)), "1099511600000");
  EXPECT_EQ(text_of(Decimal::from_float(std::numeric_limits<float>::max())), "340282350000000000000000000000000000000");
  EXPECT_EQ(text_of(Decimal::from_float(std::numeric_limits<float>::denorm_min())), "1e-45");
  EXPECT_EQ(text_of(Decimal::from_double(0.1)), "0.1");
  EXPECT_EQ(text_of(Decimal::from_double(1e300)), "1e300");
}

TEST(DecimalTest, HasNoValueForNanAndInfinity) {
  EXPECT_FALSE(Decimal::from_float(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_FALSE(Decimal::from_float(std::numeric_limits<float>::infinity()));
  EXPECT_FALSE(Decimal::from_double(-std::numeric_limits<double>::infinity()));
}

TEST(DecimalTest, EveryFloatSurvivesTheWayThroughText) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const auto decimal = Decimal::from_float(value);
    ASSERT_TRUE(decimal) << value;
    ASSERT_EQ(Decimal::parse(decimal->text())->to_float(), value);
  }
}

TEST(DecimalTest, MultipliesAndAddsExactly) {
  EXPECT_EQ(text_of(number("12345").times(number("0.01"))), "123.45");
  EXPECT_EQ(text_of(number("18446744073709551615").times(number("0.01"))), "184467440737095516.15");
  EXPECT_EQ(text_of(number("-3").times(number("0"))), "0");
  EXPECT_EQ(text_of(number("0.1").plus(number("0.2"))), "0.3");
  EXPECT_EQ(text_of(number("1e20").plus(number("1e-10"))), "100000000000000000000.0000000001");
  EXPECT_EQ(text_of(number("5").plus(number("-5"))), "0");
  EXPECT_EQ(text_of(number("0").plus(number("2.5"))), "2.5");
}

TEST(DecimalTest, HasNoResultWhereItDoesNotFit) {
  const Decimal large = number("99999999999999999999999999999999999999");
  EXPECT_FALSE(large.times(number("99")));
  EXPECT_FALSE(large.plus(number("1e-5")));
  EXPECT_FALSE(number("1e9000").times(number("1e9000")));
  EXPECT_FALSE(number("1").shifted(10000));
  EXPECT_FALSE(number("1e-9999").shifted(-1));
}

TEST(DecimalTest, DividesOnlyWhereTheQuotientIsFinite) {
  EXPECT_EQ(text_of(number("0.07").divided_by(number("0.01"))), "7");
  EXPECT_EQ(text_of(number("200").divided_by(number("5"))), "40");
  EXPECT_EQ(text_of(number("1").divided_by(number("-8"))), "-0.125");
  EXPECT_EQ(text_of(number("3").divided_by(number("1250"))), "0.0024");
  EXPECT_EQ(text_of(number("6").divided_by(number("0.3"))), "20");
  EXPECT_EQ(text_of(number("0").divided_by(number("3"))), "0");
  EXPECT_EQ(text_of(number("1").divided_by(number("3"))), "none");
  EXPECT_EQ(text_of(number("1").divided_by(number("0"))), "none");
}

TEST(DecimalTest, ShiftsAndNegates) {
  EXPECT_EQ(text_of(number("12.5").shifted(-3)), "0.0125");
  EXPECT_EQ(text_of(number("12.5").shifted(3)), "12500");
  EXPECT_EQ(text_of(number("0").shifted(500000)), "0");
  EXPECT_EQ(number("12.5").negated().text(), "-12.5");
}

TEST(DecimalTest, IsWholeOnlyWithoutAFraction) {
  EXPECT_TRUE(number("1.20e1").whole() == Decimal::Mantissa{12});
  EXPECT_TRUE(number("-7").whole() == Decimal::Mantissa{-7});
  EXPECT_FALSE(number("1.5").whole());
  EXPECT_FALSE(number("1e60").whole());
}

TEST(DecimalTest, ConvertsToTheNearestFloat) {
  EXPECT_EQ(number("0.1").to_float(), 0.1f);
  EXPECT_EQ(number("0.1").to_double(), 0.1);
  EXPECT_EQ(number("1e39").to_float(), std::numeric_limits<float>::infinity());
  EXPECT_EQ(number("-1e400").to_double(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(number("1e-400").to_double(), 0.0);
}

TEST(DecimalTest, ComparesExactlyWhateverTheExponents) {
  const std::string ascending[] = {"-1e60",
                                   "-100",
                                   "-12.5",
                                   "-12.4",
                                   "-1e-60",
                                   "0",
                                   "1e-60",
                                   "9.99",
                                   "10",
                                   "10.01",
                                   "99999999999999999999999999999999999999",
                                   "1e38",
                                   "1e60"};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      const int order = number(ascending[i]).compare(number(ascending[j]));
      EXPECT_EQ(order < 0, i < j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(order == 0, i == j) << ascending[i] << " " << ascending[j];
    }
  }
  EXPECT_TRUE(number("1.50") == number("15e-1"));
  EXPECT_TRUE(Decimal(100, -2) == Decimal(1));
}

}  // namespace
}  // namespace metergate
