#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "drivers/profile/decode.h"
#include "drivers/profile/encode.h"
#include "tests/unit/drivers/profile/profile_text.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Value number(const std::string& text) { return {Value::Form::kNumber, text, Decimal::parse(text)}; }
Value name(const std::string& text) { return {Value::Form::kText, text, std::nullopt}; }

Result<Write> written(const std::string& rest, const Value& value, const Ratios& ratios = {}) {
  const Profile profile = profile_of("p = " + rest + "\n");
  return encode(profile, profile.points.at(0), value, ratios);
}

Words words_of(const std::string& rest, const Value& value, const Ratios& ratios = {}) {
  const auto write = written(rest, value, ratios);
  EXPECT_TRUE(write) << rest << ": " << (write ? "" : write.error().detail);
  return write ? write->values : Words{};
}

std::string refusal(const std::string& rest, const Value& value, const Ratios& ratios = {}) {
  const auto write = written(rest, value, ratios);
  if (write) return "none";
  EXPECT_EQ(write.error().code, Errc::kInvalid);
  return write.error().detail;
}

TEST(EncodeTest, SendsWhatDecodesToTheValue) {
  EXPECT_THAT(words_of("holding 0 u16 scale=0.01 write=register", number("0.07")), ElementsAre(7));
  EXPECT_THAT(words_of("holding 0 i16 scale=0.1 offset=-40 write=register", number("-40.1")), ElementsAre(0xFFFF));
  EXPECT_THAT(words_of("holding 0 u16 scale=1000 write=register", number("3e3")), ElementsAre(3));
  EXPECT_THAT(words_of("holding 0 u32 write=registers", number("65538")), ElementsAre(1, 2));
  EXPECT_THAT(words_of("holding 0 u32 order=CDAB write=registers", number("65538")), ElementsAre(2, 1));
  EXPECT_THAT(words_of("holding 0 u16 order=BADC write=register", number("1")), ElementsAre(0x0100));
  EXPECT_THAT(words_of("holding 0 i64 write=registers", number("-9223372036854775808")), ElementsAre(0x8000, 0, 0, 0));
  EXPECT_THAT(words_of("holding 0 u64 write=registers", number("18446744073709551615")),
              ElementsAre(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF));
  EXPECT_THAT(words_of("holding 0 f32 write=registers", number("230.1")), ElementsAre(0x4366, 0x199A));
  EXPECT_THAT(words_of("holding 0 f32 scale=0.1 write=registers", number("230.14")), ElementsAre(0x450F, 0xD666));
  EXPECT_THAT(words_of("holding 0 f64 write=registers", number("0.1")), ElementsAre(0x3FB9, 0x9999, 0x9999, 0x999A));
  EXPECT_THAT(words_of("holding 0 sm16 write=register", number("-1")), ElementsAre(0x8001));
  EXPECT_THAT(words_of("holding 0 bcd registers=2 write=registers", number("12345678")), ElementsAre(0x1234, 0x5678));
  EXPECT_THAT(words_of("holding 0 m10k registers=2 write=registers", number("-12345678")),
              ElementsAre(static_cast<std::uint16_t>(-1234), static_cast<std::uint16_t>(-5678)));
}

TEST(EncodeTest, WritesWhereAndHowTheProfileSays) {
  const auto plain = written("holding 7 u16 write=register", number("1"));
  EXPECT_EQ(plain->form, Write::Form::kRegister);
  EXPECT_EQ(plain->address, 7);
  const auto other = written("input 7 u32 write=registers write_address=0x20", number("1"));
  EXPECT_EQ(other->form, Write::Form::kRegisters);
  EXPECT_EQ(other->address, 32);
  EXPECT_THAT(other->values, ElementsAre(0, 1));
}

TEST(EncodeTest, SendsTheBytesInTheOrderOfTheMeter) {
  const Profile profile = profile_of("p = holding 0 u32 order=BDAC write=registers\n");
  const auto write = encode(profile, profile.points[0], {Value::Form::kNumber, "", Decimal(0x11223344)}, {});
  ASSERT_TRUE(write) << write.error().detail;
  EXPECT_EQ(write->values, (Words{0x2244, 0x1133}));
}

TEST(EncodeTest, WritesCoils) {
  EXPECT_THAT(words_of("coil 0 u16 write=coil", number("1")), ElementsAre(1));
  EXPECT_THAT(words_of("coil 0 bits bits=0:4 write=coils", number("10")), ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(words_of("holding 0 u16 write=coil write_address=3", number("0")), ElementsAre(0));
  EXPECT_THAT(words_of("input 0 bits bits=3:1 write=register write_address=3", number("1")), ElementsAre(1));
  EXPECT_THAT(refusal("coil 0 u16 write=coil", number("2")), StartsWith("'2': "));
  EXPECT_THAT(refusal("holding 0 u16 write=coil write_address=3", number("2")), StartsWith("'2': a coil holds 0 or 1"));
}

TEST(EncodeTest, TakesTheNamesOfAnEnumAndTheirNumbers) {
  const std::string relay = "holding 0 u16 enum=0:off|1:on|5:\"not ready\" write=register allow=0|1";
  EXPECT_THAT(words_of(relay, name("on")), ElementsAre(1));
  EXPECT_THAT(words_of(relay, number("0")), ElementsAre(0));
  EXPECT_EQ(refusal(relay, name("onn")), "'onn': one of off, on, not ready");
  EXPECT_EQ(refusal(relay, number("2")), "'2': one of off, on, not ready");
  EXPECT_EQ(refusal(relay, name("not ready")), "'not ready': one of 0, 1");
}

TEST(EncodeTest, UndoesTransformerRatios) {
  EXPECT_THAT(words_of("holding 0 u16 scale=0.001 ratio=ct write=register", number("200"), {Decimal(40), {}}),
              ElementsAre(5000));
  EXPECT_THAT(refusal("holding 0 u16 ratio=ct write=register", number("200")), HasSubstr("ct or pt is needed"));
}

TEST(EncodeTest, RefusesWhatCannotBeSentExactly) {
  const std::pair<std::string, std::string> cases[] = {
      {"holding 0 u16 scale=0.01 write=register", "0.075"},
      {"holding 0 u16 scale=0.3 write=register", "0.5"},
      {"holding 0 u16 write=register", "1.5"},
      {"holding 0 u16 write=register", "-1"},
      {"holding 0 u16 write=register", "65536"},
      {"holding 0 i16 write=register", "32768"},
      {"holding 0 u64 write=registers", "18446744073709551616"},
      {"holding 0 f32 write=registers", "16777217"},
      {"holding 0 f32 write=registers", "1e39"},
      {"holding 0 sm16 write=register", "32768"},
      {"holding 0 bcd registers=1 write=register", "10000"},
      {"holding 0 bcd registers=1 write=register", "-1"},
      {"holding 0 m10k registers=2 write=registers", "100000000"},
      {"coil 0 bits bits=0:2 write=coils", "4"},
  };
  for (const auto& [rest, value] : cases)
    EXPECT_THAT(refusal(rest, number(value)), StartsWith("'" + value + "': a multiple of")) << rest;
}

TEST(EncodeTest, RefusesWhatTheProfileDoesNotAllow) {
  EXPECT_EQ(refusal("holding 0 u16 write=register allow=10|20", number("15")), "'15': one of 10, 20");
  EXPECT_EQ(refusal("holding 0 u16 write=register min=10", number("9")), "'9': at least 10");
  EXPECT_EQ(refusal("holding 0 u16 write=register max=10", number("10.5")), "'10.5': at most 10");
  EXPECT_EQ(refusal("holding 0 u16", number("1")), "'p': this point cannot be written");
  EXPECT_EQ(refusal("holding 0 u16 write=register", name("on")), "'on': a number is needed");
  EXPECT_EQ(refusal("holding 0 u16 write=register", Value{}), "'null': a number is needed");
  EXPECT_THAT(refusal("holding 0 u16 na=0xFFFF write=register", number("65535")), HasSubstr("no value is available"));
}

TEST(EncodeTest, WhatIsSentDecodesToTheSameValueWhateverTheType) {
  const char* points[] = {"u16 scale=0.01",
                          "i16 scale=0.1 offset=-40",
                          "u32 order=CDAB scale=0.001",
                          "i32 order=BADC",
                          "u48 order=DCBA scale=7",
                          "i48",
                          "u64 scale=0.01",
                          "i64 order=DCBA scale=-0.5",
                          "f32",
                          "f32 order=CDAB scale=0.1",
                          "f64 scale=1000",
                          "sm16",
                          "sm32 scale=0.2",
                          "bcd registers=3 order=CDAB",
                          "m10k registers=4"};
  std::mt19937 random(7);
  int sent = 0;
  for (const char* rest : points) {
    const Profile profile = profile_of("p = holding 0 " + std::string(rest) + " write=registers\n");
    const Point& point = profile.points.at(0);
    for (int i = 0; i < 500; ++i) {
      Words words;
      for (int w = 0; w < point.registers; ++w) words.push_back(static_cast<std::uint16_t>(random()));
      RegisterImage image;
      image.put({Table::kHolding, 0, static_cast<std::uint16_t>(point.registers)}, words);
      const auto before = decode(profile, point, image, {});
      if (!before || before->value.form != Value::Form::kNumber) continue;  // NaN, digits that are none
      const auto write = encode(profile, point, before->value, {});
      ASSERT_TRUE(write) << rest << " " << before->value.text << " " << write.error().detail;
      image.put({Table::kHolding, 0, static_cast<std::uint16_t>(point.registers)}, write->values);
      ASSERT_EQ(decode(profile, point, image, {})->value.text, before->value.text) << rest;
      ++sent;
    }
  }
  EXPECT_GT(sent, 5000);
}

}  // namespace
}  // namespace metergate
