#include "drivers/profile/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/profile/plan.h"
#include "tests/unit/drivers/profile/profile_text.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string shown(const Result<Decoded>& decoded) {
  if (!decoded) return "error " + decoded.error().detail;
  const Value& value = decoded->value;
  if (value.form == Value::Form::kNull) return "null";
  return value.form == Value::Form::kText ? "\"" + value.text + "\"" : value.text;
}

/// The value of a point described by `rest`, with `words` from address 0 of its table on.
std::string value_of(const std::string& rest, const Words& words, const Ratios& ratios = {}) {
  const Profile profile = profile_of("p = " + rest + "\n");
  RegisterImage image;
  for (const Table table : {Table::kHolding, Table::kCoil}) {
    image.put({table, 0, static_cast<std::uint16_t>(words.size())}, words);
  }
  return shown(decode(profile, profile.points.at(0), image, ratios));
}

struct Case {
  std::string rest;
  Words words;
  std::string expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(value_of(c.rest, c.words), c.expected) << c.rest;
}

TEST(DecodeTest, ReadsWholeNumbersOfEveryWidth) {
  check({{"holding 0 u16", {0xFFFF}, "65535"},
         {"holding 0 i16", {0xFFFF}, "-1"},
         {"holding 0 i16", {0x8000}, "-32768"},
         {"holding 0 u32", {0x0001, 0x0002}, "65538"},
         {"holding 0 u32", {0xFFFF, 0xFFFF}, "4294967295"},
         {"holding 0 i32", {0xFFFF, 0xFFFE}, "-2"},
         {"holding 0 u48", {0x0001, 0x0000, 0x0000}, "4294967296"},
         {"holding 0 u48", {0xFFFF, 0xFFFF, 0xFFFF}, "281474976710655"},
         {"holding 0 i48", {0x8000, 0x0000, 0x0000}, "-140737488355328"},
         {"holding 0 u64", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, "18446744073709551615"},
         {"holding 0 i64", {0x8000, 0x0000, 0x0000, 0x0000}, "-9223372036854775808"},
         {"holding 0 i64", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, "-1"},
         {"holding 0 u8", {0x12FE}, "254"},
         {"holding 0 u8 byte=high", {0x12FE}, "18"},
         {"holding 0 i8", {0x12FE}, "-2"},
         {"holding 0 i8 byte=high", {0x80FE}, "-128"},
         {"holding 0 sm16", {0x8001}, "-1"},
         {"holding 0 sm16", {0x7FFF}, "32767"},
         {"holding 0 sm16", {0x8000}, "0"},
         {"holding 0 sm32", {0x8000, 0x0005}, "-5"},
         {"holding 0 bcd registers=1", {0x9876}, "9876"},
         {"holding 0 bcd registers=4", {0x1234, 0x5678, 0x9012, 0x3456}, "1234567890123456"},
         {"holding 0 m10k registers=2", {1234, 5678}, "12345678"},
         {"holding 0 m10k registers=4", {1, 2, 3, 9999}, "1000200039999"},
         {"holding 0 m10k registers=2", {0, 0xFFFF}, "-1"},
         {"holding 0 bits bits=0:1", {0xFFFE}, "0"},
         {"holding 0 bits bits=4:3", {0x0FEF}, "6"},
         {"holding 0 bits bits=0:16", {0xABCD}, "43981"}});
}

TEST(DecodeTest, ReadsFloatsInTheFewestDigits) {
  check({{"holding 0 f32", {0x4366, 0x1999}, "230.09999"},
         {"holding 0 f32", {0x4366, 0x199A}, "230.1"},
         {"holding 0 f32", {0x3DCC, 0xCCCD}, "0.1"},
         {"holding 0 f32", {0xC2F6, 0xE979}, "-123.456"},
         {"holding 0 f32", {0x8000, 0x0000}, "0"},
         {"holding 0 f32 scale=0.1", {0x450F, 0xD666}, "230.14"},
         {"holding 0 f32 scale=1000", {0x3F9E, 0x0653}, "1234.568"},
         {"holding 0 f32", {0x5368, 0xD4A5}, "1000000000000"},
         {"holding 0 f32", {0x7F7F, 0xFFFF}, "340282350000000000000000000000000000000"},
         {"holding 0 f64", {0x3FB9, 0x9999, 0x9999, 0x999A}, "0.1"},
         {"holding 0 f64 scale=0.001", {0x419D, 0x6F34, 0x547E, 0x5C92}, "123456.7891234"}});
}

TEST(DecodeTest, HasNoValueForNanAndInfinity) {
  check({{"holding 0 f32", {0x7FC0, 0x0000}, "null"},
         {"holding 0 f32", {0xFFC0, 0x0000}, "null"},
         {"holding 0 f32", {0x7F80, 0x0001}, "null"},
         {"holding 0 f32", {0x7F80, 0x0000}, "null"},
         {"holding 0 f32", {0xFF80, 0x0000}, "null"},
         {"holding 0 f64", {0x7FF8, 0, 0, 0}, "null"}});
}

TEST(DecodeTest, AppliesEveryOrderToAnyWidth) {
  check({{"holding 0 u16 order=CDAB", {0x1234}, "4660"},
         {"holding 0 u16 order=BADC", {0x3412}, "4660"},
         {"holding 0 u32 order=ABCD", {0x0102, 0x0304}, "16909060"},
         {"holding 0 u32 order=CDAB", {0x0304, 0x0102}, "16909060"},
         {"holding 0 u32 order=BADC", {0x0201, 0x0403}, "16909060"},
         {"holding 0 u32 order=DCBA", {0x0403, 0x0201}, "16909060"},
         {"holding 0 u48 order=CDAB", {0x0506, 0x0304, 0x0102}, "1108152157446"},
         {"holding 0 u48 order=DCBA", {0x0605, 0x0403, 0x0201}, "1108152157446"},
         {"holding 0 u64 order=CDAB", {0x0708, 0x0506, 0x0304, 0x0102}, "72623859790382856"},
         {"holding 0 u64 order=BADC", {0x0201, 0x0403, 0x0605, 0x0807}, "72623859790382856"},
         {"holding 0 f32 order=CDAB", {0x199A, 0x4366}, "230.1"},
         {"holding 0 string registers=2 order=BADC", {0x4241, 0x4443}, "\"ABCD\""},
         {"holding 0 bcd registers=2 order=CDAB", {0x5678, 0x1234}, "12345678"}});
}

TEST(DecodeTest, TakesTheBytesInAnyOrder) {
  // The letters name the bytes as they come, A the highest of the value.
  EXPECT_EQ(value_of("holding 0 u32 order=BDAC", {0x2244, 0x1133}), "287454020");  // 0x11223344
  EXPECT_EQ(value_of("holding 0 u16 order=BA", {0x3412}), "4660");
  EXPECT_EQ(value_of("holding 0 u64 order=HGFEDCBA", {0x0807, 0x0605, 0x0403, 0x0201}), "72623859790382856");
  EXPECT_EQ(value_of("holding 0 u48 order=EFCDAB", {0x0506, 0x0304, 0x0102}), "1108152157446");
  EXPECT_EQ(value_of("holding 0 u64 parts=0+2 order=BADC", {0x0201, 0x0403, 0x0605, 0x0807}), "72623859790382856");
  EXPECT_EQ(value_of("holding 0 u64 parts=0+2 order=CABD", {0x0301, 0x0204, 0x0705, 0x0608}), "72623859790382856");
}

TEST(DecodeTest, ReadsRegistersOfFourBytes) {
  const Profile profile = profile_of(
      "a = holding 7001 f32 register_bytes=4\nb = holding 7002 u64 register_bytes=4 order=CDAB\nc = holding 7001 "
      "u16\n");
  RegisterImage image;
  image.put({Table::kHolding, 7001, 3, 4}, {0x4366, 0x8000, 0x0304, 0x0102, 0, 0});
  EXPECT_EQ(decode(profile, profile.points[0], image, {})->value.text, "230.5");
  EXPECT_EQ(decode(profile, profile.points[1], image, {})->value.text, "16909060");
  EXPECT_FALSE(decode(profile, profile.points[2], image, {}));  // the same address, read another way

  image.forget({Table::kHolding, 7002, 1, 4});
  EXPECT_TRUE(image.has({Table::kHolding, 7001, 1, 4}));
  EXPECT_FALSE(image.has({Table::kHolding, 7002, 2, 4}));
}

TEST(DecodeTest, PutsPartsTogetherHighFirstAndAppliesTheOrderWithinEach) {
  check({{"holding 3 u32 parts=3+0", {2, 9, 9, 1}, "65538"},
         {"holding 0 u64 parts=0+3", {0, 1, 9, 0, 2}, "4294967298"},
         {"holding 0 u64 parts=0+3 order=CDAB", {1, 0, 9, 2, 0}, "4294967298"}});
}

TEST(DecodeTest, ScalesExactly) {
  check({{"holding 0 u16 scale=0.01", {12345}, "123.45"},
         {"holding 0 u16 scale=0.01", {12300}, "123"},
         {"holding 0 u64 scale=0.01", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, "184467440737095516.15"},
         {"holding 0 i16 scale=0.1 offset=-40", {0xFFFF}, "-40.1"},
         {"holding 0 u16 scale=-1", {7}, "-7"},
         {"holding 0 u16 scale=1e3", {7}, "7000"},
         {"holding 0 u64 scale=0.0000000000000000000000000000001",
          {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF},
          "0.0000000000018446744073709551615"}});
}

TEST(DecodeTest, TellsAnOverflowInsteadOfAWrongNumber) {
  EXPECT_EQ(value_of("holding 0 u64 scale=1.2345678901234567890123", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}),
            "error overflow");
}

TEST(DecodeTest, HasNoValueWhereTheMeterSaysSo) {
  check({{"holding 0 u16 na=0xFFFF scale=0.1", {0xFFFF}, "null"},
         {"holding 0 u16 na=0xFFFF|0xFFFE", {0xFFFE}, "null"},
         {"holding 0 u16 na=0xFFFF", {0xFFFD}, "65533"},
         {"holding 0 i32 na=0x7FFFFFFF", {0x7FFF, 0xFFFF}, "null"},
         {"holding 0 u32 na=0x80000000 order=CDAB", {0x0000, 0x8000}, "null"},
         {"holding 0 f32 na=-1", {0xBF80, 0}, "null"},
         {"holding 0 u16 na=3 enum=3:off", {3}, "null"},
         {"holding 0 bcd registers=1 na=0xFFFF", {0xFFFF}, "null"},
         {"holding 0 time form=unix na=0", {0, 0}, "null"}});
}

TEST(DecodeTest, RefusesDigitsThatAreNone) {
  check({{"holding 0 bcd registers=1", {0x12A4}, "error bad_bcd"},
         {"holding 0 m10k registers=2", {10000, 0}, "error bad_bcd"},
         {"holding 0 m10k registers=2", {0, 0x8000}, "error bad_bcd"}});
}

TEST(DecodeTest, NamesTheValuesOfAnEnumAndShowsOthersAsNumbers) {
  check({{"holding 0 u16 enum=0:off|1:on", {1}, "\"on\""},
         {"holding 0 u16 enum=0:off|1:on", {7}, "\"7\""},
         {"holding 0 i16 enum=-1:none", {0xFFFF}, "\"none\""},
         {"holding 0 u64 enum=0:off", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, "\"18446744073709551615\""},
         {"holding 0 bits bits=14:2 enum=0:a|3:d", {0xC000}, "\"d\""}});
}

TEST(DecodeTest, ShowsANumberOfKindTextAsItsDigits) {
  EXPECT_EQ(value_of("holding 0 u32 kind=text", {0x0012, 0xD687}), "\"1234567\"");
}

TEST(DecodeTest, ReadsBitsOfCoils) {
  check({{"coil 1 u16", {0, 1, 0, 0}, "1"},
         {"coil 2 bits", {0, 1, 0, 0}, "0"},
         {"coil 0 bits bits=1:3", {0, 1, 0, 1}, "5"},
         {"coil 1 u16 enum=0:open|1:closed", {0, 1}, "\"closed\""}});
}

TEST(DecodeTest, MakesStringsSafe) {
  check({{"holding 0 string registers=3", {0x4142, 0x4320, 0x2000}, "\"ABC\""},
         {"holding 0 string registers=3", {0x4142, 0x0058, 0x5900}, "\"AB\""},
         {"holding 0 string registers=3", {0x2041, 0x2042, 0xFFFF}, "\"A B\""},
         {"holding 0 string registers=2", {0x0000, 0x0000}, "\"\""},
         {"holding 0 string registers=2", {0xFFFF, 0xFFFF}, "\"\""},
         {"holding 0 string registers=2", {0x0041, 0x4200}, "\"AB\""},
         {"holding 0 string registers=2", {0xC3A9, 0xE941}, "\"\xC3\xA9\xEF\xBF\xBD\x41\""},
         {"holding 0 string registers=2", {0x4101, 0x7F42}, "\"A\xEF\xBF\xBD\xEF\xBF\xBD\x42\""},
         {"holding 0 string registers=3 chars=1", {0xFF41, 0x0042, 0x0043}, "\"ABC\""},
         {"holding 0 string registers=3 chars=1 byte=high", {0x41FF, 0x4200, 0x4300}, "\"ABC\""}});
}

TEST(DecodeTest, ReadsTimes) {
  check({{"holding 0 time form=unix", {0x0000, 0x0000}, "\"1970-01-01T00:00:00Z\""},
         {"holding 0 time form=unix", {0x6B02, 0xBD3E}, "\"2026-11-22T10:00:30Z\""},
         {"holding 0 time form=unix order=CDAB", {0xBD3E, 0x6B02}, "\"2026-11-22T10:00:30Z\""},
         {"holding 0 time form=ymdhms", {2026, 11, 22, 10, 0, 30}, "\"2026-11-22T10:00:30\""},
         {"holding 0 time form=ymdhms", {26, 2, 28, 23, 59, 59}, "\"2026-02-28T23:59:59\""},
         {"holding 0 time form=ymdhms", {2024, 2, 29, 0, 0, 0}, "\"2024-02-29T00:00:00\""},
         {"holding 0 time form=ymdhms", {2026, 2, 29, 0, 0, 0}, "error bad_time"},
         {"holding 0 time form=ymdhms", {2026, 13, 1, 0, 0, 0}, "error bad_time"},
         {"holding 0 time form=ymdhms", {2026, 1, 1, 24, 0, 0}, "error bad_time"},
         {"holding 0 time form=ymdhms", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, "error bad_time"},
         {"holding 0 time form=ymdhms registers=3", {0x1A0B, 0x160A, 0x001E}, "\"2026-11-22T10:00:30\""},
         {"holding 0 time form=bcd", {0x2611, 0x2210, 0x0030}, "\"2026-11-22T10:00:30\""},
         {"holding 0 time form=bcd", {0x9909, 0x2919, 0x5959}, "\"2099-09-29T19:59:59\""},
         {"holding 0 time form=bcd", {0xA609, 0x2919, 0x5959}, "error bad_time"},
         {"holding 0 time form=bcd", {0x261A, 0x2210, 0x0030}, "error bad_time"},
         {"holding 0 time form=bcd na=0xFFFFFFFFFFFF", {0xFFFF, 0xFFFF, 0xFFFF}, "null"}});
}

TEST(DecodeTest, AppliesTransformerRatiosAndRefusesWithoutThem) {
  const Ratios both{Decimal(40), Decimal(100)};
  EXPECT_EQ(value_of("holding 0 u16 scale=0.001 ratio=ct", {5000}, both), "200");
  EXPECT_EQ(value_of("holding 0 u16 scale=0.1 ratio=pt", {1000}, both), "10000");
  EXPECT_EQ(value_of("holding 0 u16 ratio=ct*pt", {3}, both), "12000");
  EXPECT_EQ(value_of("holding 0 u16", {3}, both), "3");
  EXPECT_EQ(value_of("holding 0 u16 ratio=ct", {3}, {}), "error no_ratio");
  EXPECT_EQ(value_of("holding 0 u16 ratio=pt", {3}, {Decimal(40), {}}), "error no_ratio");
  EXPECT_EQ(value_of("holding 0 u16 ratio=ct*pt", {3}, {Decimal(40), {}}), "error no_ratio");
  EXPECT_EQ(value_of("holding 0 u16 ratio=ct na=3", {3}, {}), "null");
}

TEST(DecodeTest, FlagsValuesOutsideTheirLimits) {
  const Profile profile = profile_of("p = holding 0 i16 scale=0.1 min=-1 max=300\n");
  const auto flags_of = [&](std::uint16_t word) {
    RegisterImage image;
    image.put({Table::kHolding, 0, 1}, {word});
    const auto decoded = decode(profile, profile.points[0], image, {});
    return decoded ? decoded->flags : std::vector<std::string>{"error"};
  };
  EXPECT_THAT(flags_of(3000), IsEmpty());
  EXPECT_THAT(flags_of(3001), ElementsAre("implausible"));
  EXPECT_THAT(flags_of(static_cast<std::uint16_t>(-10)), IsEmpty());
  EXPECT_THAT(flags_of(static_cast<std::uint16_t>(-11)), ElementsAre("implausible"));
}

class ScaledByPointsTest : public testing::Test {
 protected:
  /// p at address 0, e (exponent) at 1, t (times) at 2, s (sign) at 3.
  std::string value(const Words& words) {
    RegisterImage image;
    image.put({Table::kHolding, 0, static_cast<std::uint16_t>(words.size())}, words);
    return shown(decode(profile_, profile_.points[0], image, {}));
  }
  Profile profile_ = profile_of(
      "p = holding 0 u16 scale=2 exponent=e-4 times=t sign=s\ne = holding 1 i16 na=0x8000\n"
      "t = holding 2 u16 scale=0.1\ns = holding 3 bits bits=0:1\n");
};

TEST_F(ScaledByPointsTest, MultipliesByThem) {
  EXPECT_EQ(value({5, 4, 10, 0}), "10");
  EXPECT_EQ(value({5, 6, 10, 0}), "1000");
  EXPECT_EQ(value({5, 1, 25, 0}), "0.025");
  EXPECT_EQ(value({5, 4, 10, 1}), "-10");
  EXPECT_EQ(value({5, 4, 10, 0xFFFE}), "10");
  EXPECT_EQ(value({0, 4, 10, 1}), "0");
}

TEST_F(ScaledByPointsTest, HasNoValueWhereAScaleHasNone) { EXPECT_EQ(value({5, 0x8000, 10, 0}), "null"); }

TEST_F(ScaledByPointsTest, TellsAnExponentBeyondReasonAsOverflow) {
  EXPECT_EQ(value({5, 103, 10, 0}), "1e100");
  EXPECT_EQ(value({5, 104, 10, 0}), "error overflow");
  EXPECT_EQ(value({5, 32767, 10, 0}), "error overflow");
}

TEST_F(ScaledByPointsTest, NeedsTheirRegistersToo) {
  EXPECT_EQ(value({5, 4, 10}), "error the registers of s were not read");
  RegisterImage image;
  image.put({Table::kHolding, 0, 1}, {5});
  EXPECT_EQ(decode(profile_, profile_.points[0], image, {}).error().code, Errc::kNotFound);
}

TEST_F(ScaledByPointsTest, TheyMayBeScaledThemselves) {
  const Profile profile =
      profile_of("p = holding 0 u16 times=a\na = holding 1 u16 times=b\nb = holding 2 u16 scale=0.5\n");
  RegisterImage image;
  image.put({Table::kHolding, 0, 3}, {3, 5, 7});
  EXPECT_EQ(shown(decode(profile, profile.points[0], image, {})), "52.5");
}

TEST(RegisterImageTest, HasABlockOnlyWhenAllOfItWasRead) {
  RegisterImage image;
  image.put({Table::kInput, 10, 2}, {1, 2});
  image.put({Table::kInput, 12, 2}, {3, 4});
  EXPECT_TRUE(image.has({Table::kInput, 10, 4}));
  Words words{7};
  EXPECT_TRUE(image.get({Table::kInput, 11, 2}, &words));
  EXPECT_THAT(words, ElementsAre(7, 2, 3)) << "behind what is there";
  EXPECT_FALSE(image.get({Table::kInput, 11, 20}, &words));
  EXPECT_EQ(words.size(), 3u);
  EXPECT_FALSE(image.has({Table::kInput, 9, 2}));
  EXPECT_FALSE(image.has({Table::kInput, 13, 2}));
  EXPECT_FALSE(image.has({Table::kHolding, 10, 1}));
}

TEST(RegisterImageTest, HoldsTheLastValueOfEachRegisterWhateverTheOrderOfTheBlocks) {
  RegisterImage image;
  image.put({Table::kHolding, 20, 2}, {20, 21});
  image.put({Table::kHolding, 10, 3}, {10, 11, 12});
  image.put({Table::kHolding, 12, 9}, {2, 3, 4, 5, 6, 7, 8, 9, 1});
  image.put({Table::kHolding, 0, 4}, {1});  // an answer that is shorter than it was asked for
  Words words;
  ASSERT_TRUE(image.get({Table::kHolding, 10, 12}, &words));
  EXPECT_THAT(words, ElementsAre(10, 11, 2, 3, 4, 5, 6, 7, 8, 9, 1, 21));
  EXPECT_TRUE(image.has({Table::kHolding, 0, 1}));
  EXPECT_FALSE(image.has({Table::kHolding, 0, 2}));
  image.forget({Table::kHolding, 11, 1});
  EXPECT_FALSE(image.has({Table::kHolding, 10, 2}));
  EXPECT_TRUE(image.has({Table::kHolding, 12, 10}));
}

TEST(RatioTest, IsAQuotientOfTwoNumbers) {
  for (const auto& [text, expected] : {std::pair{"200/5", "40"},
                                       {"10000/100", "100"},
                                       {"1/8", "0.125"},
                                       {"200/1", "200"},
                                       {"181.818/1", "181.818"},
                                       {"20000/100", "200"}}) {
    const auto ratio = parse_ratio(text);
    ASSERT_TRUE(ratio) << text;
    EXPECT_EQ(ratio->text(), expected);
  }
  for (const char* text :
       {"", "/", "200/", "/5", "200/0", "0/5", "-200/5", "200/-5", "200/5/1", "200:5", "200/3", "200", "181.818"}) {
    const auto ratio = parse_ratio(text);
    ASSERT_FALSE(ratio) << text;
    EXPECT_EQ(ratio.error().code, Errc::kInvalid);
    EXPECT_THAT(ratio.error().detail, testing::StartsWith("'" + std::string(text) + "': "));
  }
}

}  // namespace
}  // namespace metergate
