#include "agent/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string repeated(std::string_view part, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += part;
  return all;
}

std::string why_not(std::string_view text) {
  const auto json = parse_json(text);
  if (json) return "no error";
  EXPECT_EQ(json.error().code, Errc::kInvalid);
  return json.error().detail;
}

TEST(JsonWriterTest, PutsCommasBetweenMembersAndItemsAndNowhereElse) {
  JsonWriter out;
  out.begin_object().member("a", 1).key("b").begin_array().number(2).begin_object().end_object().null().end_array();
  out.key("c").begin_object().member("d", true).member("e", "x").end_object().end_object();
  EXPECT_EQ(out.take(), R"({"a":1,"b":[2,{},null],"c":{"d":true,"e":"x"}})");
}

TEST(JsonWriterTest, BuildsMembersWithoutBracesThatFitIntoAnObject) {
  JsonWriter members;
  members.member("a", 1).raw_member("b", "2.50").member("c", std::optional<std::string>{});
  const std::string body = members.take();
  EXPECT_EQ(body, R"("a":1,"b":2.50,"c":null)");

  JsonWriter record;
  record.begin_object().member("seq", 7).raw(body).raw("").end_object();
  EXPECT_EQ(record.take(), R"({"seq":7,"a":1,"b":2.50,"c":null})");
}

TEST(JsonWriterTest, PutsACommaBehindATextThatLooksLikeAnOpenBracket) {
  JsonWriter out;
  out.begin_array().text("{").text("[").text(":").number(1).end_array();
  EXPECT_EQ(out.take(), R"(["{","[",":",1])");
}

TEST(JsonWriterTest, WritesEveryWidthOfIntegerExactly) {
  JsonWriter out;
  out.begin_array().number(std::numeric_limits<std::int64_t>::min()).number(std::numeric_limits<std::uint64_t>::max());
  out.number(std::uint16_t{65'535}).raw_number("0.07").end_array();
  EXPECT_EQ(out.take(), "[-9223372036854775808,18446744073709551615,65535,0.07]");
}

TEST(JsonWriterTest, WritesATextSoThatTheParserReadsItBack) {
  std::string every;
  for (int c = 0; c < 0x80; ++c) every += static_cast<char>(c);
  every += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";  // é € and a character beyond 16 bits

  JsonWriter out;
  const std::string written = out.text(every).take();

  EXPECT_EQ(written.find('\n'), std::string::npos);
  const auto read = parse_json(written);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->as_text(), every);
}

TEST(JsonWriterTest, ReplacesEachByteThatIsNoUtf8) {
  const std::pair<std::string, std::string> table[] = {
      {"\xFF", "?"},      {"a\x80z", "a?z"},        {"\xC3", "?"},
      {"\xC0\xAF", "??"}, {"\xED\xA0\x80", "???"},  {"\xF4\x90\x80\x80", "????"},
      {"\xE2\x82", "??"}, {"\xE2\x82\"", "??\\\""}, {"\xF0\x9F\x98\x80\xF0", "\xF0\x9F\x98\x80?"},
  };
  for (auto [bytes, expected] : table) {
    for (auto at = expected.find('?'); at != std::string::npos; at = expected.find('?'))
      expected.replace(at, 1, "\xEF\xBF\xBD");
    JsonWriter out;
    EXPECT_EQ(out.text(bytes).take(), '"' + expected + '"');
  }
}

TEST(JsonTest, KeepsTheTextOfANumberWhateverItsSize) {
  const std::string long_fraction = "0." + repeated("1234567890", 10'000);
  for (const std::string& number : {std::string("0"), std::string("-12.50"), std::string("1e999999"),
                                    std::string("1E-400"), std::string("18446744073709551616"),
                                    std::string("9223372036854775808"), long_fraction, repeated("9", 100'000)}) {
    const auto json = parse_json("[" + number + "]");
    ASSERT_TRUE(json) << number.substr(0, 40) << ": " << json.error().detail;
    EXPECT_EQ(json->items.at(0).kind, Json::Kind::kNumber);
    EXPECT_EQ(json->items.at(0).text, number);
  }
}

TEST(JsonTest, ReadsEveryKindOfValue) {
  const auto json = parse_json(R"( {"t":"x\u00e9\n","n":null,"b":true,"a":[1,"2",[]],"o":{"k":-3}} )");
  ASSERT_TRUE(json) << json.error().detail;
  EXPECT_EQ(json->find("t")->as_text(), "x\xC3\xA9\n");
  EXPECT_TRUE(json->find("n")->is(Json::Kind::kNull));
  EXPECT_TRUE(json->find("b")->is(Json::Kind::kBoolean));
  EXPECT_TRUE(json->find("b")->boolean);
  EXPECT_EQ(json->find("a")->items.size(), 3u);
  EXPECT_EQ(json->find("o")->find("k")->as_integer(-5, 5), -3);
  EXPECT_EQ(json->find("missing"), nullptr);
  EXPECT_EQ(json->find("t")->find("k"), nullptr);
  EXPECT_THAT(json->names, ElementsAre("t", "n", "b", "a", "o"));
}

TEST(JsonTest, TakesTheLastOfMembersWithOneName) {
  const auto json = parse_json(R"({"id":"first","other":0,"id":"last"})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("id")->as_text(), "last");
}

TEST(JsonTest, SkipsAByteOrderMark) {
  const auto json = parse_json("\xEF\xBB\xBF[1]");
  ASSERT_TRUE(json) << json.error().detail;
  EXPECT_EQ(json->items.size(), 1u);
}

TEST(JsonTest, TakesWholeNumbersWithinTheRangeForIntegersAndNothingElse) {
  struct Row {
    std::string text;
    std::optional<std::int64_t> expected;
  };
  for (const Row& row : {Row{"0", 0}, Row{"-0", 0}, Row{"255", 255}, Row{"256", {}}, Row{"-1", {}}, Row{"7.0", 7},
                         Row{"2e1", 20}, Row{"7.5", {}}, Row{"1e999999", {}}, Row{"1e-999999", {}},
                         Row{repeated("9", 1000), {}}, Row{"\"7\"", {}}, Row{"true", {}}, Row{"null", {}}}) {
    const auto json = parse_json(row.text);
    ASSERT_TRUE(json) << row.text;
    EXPECT_EQ(json->as_integer(0, 255), row.expected) << row.text.substr(0, 40);
  }
}

TEST(JsonTest, RefusesWhatIsNoJsonAndNamesTheByte) {
  struct Row {
    std::string text;
    std::string where;
  };
  for (const Row& row : {
           Row{"", "byte 1:"},
           Row{"  ", "byte 3:"},
           Row{"{", "byte 2:"},
           Row{"[1,]", "byte 4:"},
           Row{"{\"a\":1}x", "byte 8:"},
           Row{"[1][2]", "byte 4:"},
           Row{"{'a':1}", "byte 2:"},
           Row{"[01]", "byte 3:"},
           Row{"[+1]", "byte 2:"},
           Row{"[NaN]", "byte 2:"},
           Row{"[1e]", "byte 4:"},
           Row{"[\"a\xFF\"]", "byte 4:"},
           Row{"[\"\xED\xA0\x80\"]", "byte 4:"},
           Row{"[\"\\ud800\"]", "byte 9:"},
           Row{"[\"\n\"]", "byte 3:"},
           Row{"\xFE\xFF", "byte 1:"},
           Row{"[1,2,3", "byte 7:"},
           Row{std::string("[1]\0[2]", 7), "byte 4: NUL"},
           Row{std::string("\0", 1), "byte 1: NUL"},
           Row{std::string("[\"a\0b\"]", 7), "byte 4: NUL"},
       }) {
    EXPECT_THAT(why_not(row.text), HasSubstr("no JSON at " + row.where)) << row.text;
  }
}

TEST(JsonTest, RepeatsNothingOfABadTextInItsMessage) {
  EXPECT_THAT(why_not("[\"" + repeated("secret", 1000) + "\x01"), Not(HasSubstr("secret")));
  EXPECT_THAT(why_not(repeated("secret", 1000)), Not(HasSubstr("secret")));
  EXPECT_LT(why_not("[\"" + repeated("secret", 1000) + "\x01").size(), 200u);
}

TEST(JsonTest, TakesThirtyTwoLevelsAndNotOneMore) {
  EXPECT_TRUE(parse_json(repeated("[", 32) + repeated("]", 32)));
  EXPECT_THAT(why_not(repeated("[", 33) + repeated("]", 33)), HasSubstr("deeper than 32"));
  EXPECT_THAT(why_not(repeated("{\"a\":", 33) + "1" + repeated("}", 33)), HasSubstr("deeper than 32"));
  EXPECT_THAT(why_not(repeated("[", 1'000'000)), HasSubstr("deeper than 32"));
}

TEST(JsonTest, TakesTwentyThousandValuesAndNamesAndNotOneMore) {
  EXPECT_TRUE(parse_json("[" + repeated("1,", 19'998) + "1]"));
  EXPECT_THAT(why_not("[" + repeated("1,", 19'999) + "1]"), HasSubstr("more than 20000"));
  EXPECT_THAT(why_not("{" + repeated("\"\":1,", 9'999) + "\"\":1}"), HasSubstr("more than 20000"));
}

TEST(JsonOutlineTest, KeepsTwoLevelsOfWhatIsTooDeepAndTooMuchForATree) {
  const std::string deep = repeated("[", 10'000) + "7" + repeated("]", 10'000);
  const auto json = parse_json_outline(R"({"a":[1,{"b":)" + deep + R"(},true],"c":)" + deep + R"(,"d":{"e":false}})");
  ASSERT_TRUE(json);
  EXPECT_THAT(json->names, ElementsAre("a", "c", "d"));
  const Json& a = *json->find("a");
  ASSERT_EQ(a.items.size(), 3u);
  EXPECT_TRUE(a.items[1].is(Json::Kind::kObject));
  EXPECT_TRUE(a.items[1].items.empty());
  EXPECT_TRUE(a.items[2].boolean);
  EXPECT_EQ(json->find("c")->items.size(), 1u);
  EXPECT_FALSE(json->find("d")->find("e")->boolean);
  EXPECT_FALSE(parse_json_outline("{\"a\":" + deep));
}

}  // namespace
}  // namespace metergate
