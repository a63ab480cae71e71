#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config/flag_file.h"
#include "agent/config/meter_table.h"

namespace metergate {
namespace {

using testing::ElementsAre;

struct Case {
  const char* content;
  const char* fault;
};

std::vector<FlagLine> lines(const std::string& content) {
  auto parsed = parse_flag_file("site.conf", content);
  if (auto* error = std::get_if<UsageError>(&parsed)) ADD_FAILURE() << error->message;
  return std::holds_alternative<UsageError>(parsed) ? std::vector<FlagLine>{} : std::get<0>(parsed);
}

TEST(FlagFileTest, ReadsNamesAndValuesVerbatimWithTheirPlaces) {
  const auto read = lines("# a comment\n\n  gateway-id =  site-12 \nmeter=id=m,label=Hall #3 \"x\"\n  # another\n");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].name, "gateway-id");
  EXPECT_EQ(read[0].value, "site-12");
  EXPECT_EQ(read[0].place, "site.conf:3");
  EXPECT_EQ(read[1].name, "meter");
  EXPECT_EQ(read[1].value, "id=m,label=Hall #3 \"x\"");
  EXPECT_EQ(read[1].place, "site.conf:4");
}

TEST(FlagFileTest, AcceptsAByteOrderMarkCrLfAndALastLineWithoutEnd) {
  const auto read = lines("\xEF\xBB\xBFgateway-id = a\r\nbatch = 7\r\n\r\nusername = \xC3\xA4");
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].name, "gateway-id");
  EXPECT_EQ(read[0].value, "a");
  EXPECT_EQ(read[1].value, "7");
  EXPECT_EQ(read[2].value, "\xC3\xA4");
  EXPECT_EQ(read[2].place, "site.conf:4");
}

TEST(FlagFileTest, KeepsAnEmptyValueForTheReaderToJudge) {
  const auto read = lines("username =");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].value, "");
}

TEST(FlagFileTest, ReadsAnEmptyFileAsNothing) { EXPECT_TRUE(lines("").empty()); }

TEST(FlagFileTest, RefusesOtherLinesWithFileAndLine) {
  for (const Case& c : {Case{"a = b\ntrust-clock\n", "site.conf:2: 'trust-clock' is not 'name = value'"},
                        {"= x", "site.conf:1: '= x' is not 'name = value'"},
                        {"[section]", "site.conf:1: '[section]' is not 'name = value'"},
                        {"\xFF\xFEg", "site.conf: the file is UTF-16; save it as UTF-8"},
                        {"a = b\nc = \xE4\n", "site.conf: line 2 is not UTF-8 text; save the file as UTF-8"}}) {
    const auto parsed = parse_flag_file("site.conf", c.content);
    ASSERT_TRUE(std::holds_alternative<UsageError>(parsed)) << c.content;
    EXPECT_EQ(std::get<UsageError>(parsed).message, c.fault);
    EXPECT_EQ(std::get<UsageError>(parsed).status, 78);
  }
}

TEST(FlagFileTest, TellsAFileThatCannotBeRead) {
  const auto parsed = read_flag_file("/nowhere/site.conf");
  ASSERT_TRUE(std::holds_alternative<UsageError>(parsed));
  EXPECT_EQ(std::get<UsageError>(parsed).message, "cannot read '/nowhere/site.conf': No such file or directory");
  EXPECT_EQ(std::get<UsageError>(parsed).status, 78);
}

std::vector<MeterAndPoll> meters(const std::string& content) {
  auto parsed = parse_meter_table("meters.csv", content);
  if (auto* error = std::get_if<UsageError>(&parsed)) ADD_FAILURE() << error->message;
  return std::holds_alternative<UsageError>(parsed) ? std::vector<MeterAndPoll>{} : std::get<0>(parsed);
}

TEST(MeterTableTest, ReadsCommaSemicolonAndTab) {
  for (const char* separator : {",", ";", "\t"}) {
    std::string content = "id|bus|unit|profile|every|label\nm1|a|1|p|10s|Hall\nm2|a|2|q||\n";
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (content[i] == '|') content[i] = *separator;
    }
    const auto read = meters(content);
    ASSERT_EQ(read.size(), 2u) << separator;
    EXPECT_EQ(read[0].meter.id, "m1");
    EXPECT_EQ(read[0].meter.label, "Hall");
    EXPECT_EQ(read[0].meter.place, "meters.csv:2");
    EXPECT_EQ(read[0].poll->every, Millis{10'000});
    EXPECT_EQ(read[1].meter.profile, "q");
    EXPECT_FALSE(read[1].poll) << "an empty cell is a key not given";
    EXPECT_EQ(read[1].meter.place, "meters.csv:3");
  }
}

TEST(MeterTableTest, AcceptsWhatSpreadsheetsWrite) {
  const auto read = meters(
      "\xEF\xBB\xBF\"id\";bus;unit;profile;label;;\r\n"
      "# a remark\r\n"
      "\r\n"
      ";;;;;;\r\n"
      "m1; a ;1;p;\"Hall 3; \"\"north\"\"\";;\r\n"
      "m2;a;2;p");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].meter.id, "m1");
  EXPECT_EQ(read[0].meter.bus, "a");
  EXPECT_EQ(read[0].meter.label, "Hall 3; \"north\"");
  EXPECT_EQ(read[0].meter.place, "meters.csv:5");
  EXPECT_EQ(read[1].meter.id, "m2") << "a row may be shorter than the header";
}

TEST(MeterTableTest, TakesCommasInsideQuotedCells) {
  const auto read = meters("id,bus,unit,profile,label\nm1,a,1,p,\"x, y\"\n");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].meter.label, "x, y");
}

TEST(MeterTableTest, RefusesWithFileLineAndTheOffendingText) {
  for (const Case& c : {
           Case{"", "meters.csv: the file has no header; it holds --meter's keys, such as id,bus,unit,profile"},
           {"id,bus,untt,profile\n",
            "meters.csv:1: 'untt' is no column; the header holds --meter's keys, such as id,bus,unit,profile (did you "
            "mean 'unit'?)"},
           {"id,bus,id\n", "meters.csv:1: the column 'id' stands twice in the header"},
           {"id,bus,unit,profile\nm,a,1\n", "meters.csv:2: profile= is missing; such as profile=sdm630"},
           {"id,bus,unit,profile\n\nm,a,300,p\n",
            "meters.csv:3: unit: '300' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp="},
           {"id,bus,unit,profile\nm,a,1,p,x\n", "meters.csv:2: 'x' stands in a column without a header"},
           {"id,bus,unit,profile\nm,a,1,\"p\n", "meters.csv:2: the quote in '\"p' is not closed"},
           {"id,bus,unit,profile\nm,a,1,\"p\"q\n", "meters.csv:2: 'q' stands behind a closing quote"},
           {"id,bus\nm,\xE4\n", "meters.csv: line 2 is not UTF-8 text; save the file as UTF-8"},
       }) {
    const auto parsed = parse_meter_table("meters.csv", c.content);
    ASSERT_TRUE(std::holds_alternative<UsageError>(parsed)) << c.content;
    EXPECT_EQ(std::get<UsageError>(parsed).message, c.fault);
    EXPECT_EQ(std::get<UsageError>(parsed).status, 78);
  }
}

}  // namespace
}  // namespace metergate
