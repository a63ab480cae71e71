#include "agent/base/text.h"
#include "agent/base/rfc3339.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace metergate {
namespace {

using std::chrono::hours;

TEST(ErrorLinesTest, PutsTheProgramsNameBeforeEachLine) {
  EXPECT_EQ(error_lines("a"), "metergate: a\n");
  EXPECT_EQ(error_lines("a:1: b\na:2: c"), "metergate: a:1: b\nmetergate: a:2: c\n");
}

TEST(TextTest, TrimsBlanksAndLineEnds) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \t"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(TextTest, SplitsAndKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
}

TEST(TextTest, ReadsWholeNumbersWithinTheirRange) {
  EXPECT_EQ(*parse_integer("247", 1, 247), 247);
  EXPECT_EQ(*parse_integer("-5", -10, 10), -5);
  EXPECT_EQ(*parse_integer("9223372036854775807", 0, INT64_MAX), INT64_MAX);
}

TEST(TextTest, RefusesWhatIsNoWholeNumberInRange) {
  for (const char* text : {"", "0", "248", "+1", " 1", "1 ", "1s", "0x10", "1.0", "1e2", "99999999999999999999", "-"}) {
    const auto result = parse_integer(text, 1, 247);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::kInvalid);
    EXPECT_EQ(result.error().detail, "'" + std::string(text) + "' is not a whole number from 1 to 247");
  }
}

struct DurationCase {
  const char* text;
  std::int64_t ms;
};

TEST(TextTest, ReadsDurationsAndWritesThemBackInTheShortestForm) {
  for (const DurationCase& c : {DurationCase{"250ms", 250},
                                {"10s", 10'000},
                                {"5m", 300'000},
                                {"1h", 3'600'000},
                                {"30d", 2'592'000'000},
                                {"0s", 0},
                                {"90s", 90'000},
                                {"1500ms", 1500}}) {
    const auto result = parse_duration(c.text, Millis{0}, hours(24 * 365));
    ASSERT_TRUE(result) << c.text;
    EXPECT_EQ(result->count(), c.ms) << c.text;
    EXPECT_EQ(format_duration(*result), c.text);
  }
  EXPECT_EQ(format_duration(*parse_duration("1000ms", Millis{0}, hours(1))), "1s");
  EXPECT_EQ(format_duration(*parse_duration("24h", Millis{0}, hours(24))), "1d");
}

TEST(TextTest, RefusesDurationsWithoutUnitOrOfAnotherForm) {
  for (const char* text : {"", "5", "s", "1.5s", "5 s", "5S", "-5s", "5sec", "1h30m", " 5s"}) {
    const auto result = parse_duration(text, Millis{0}, hours(1));
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().detail,
              "'" + std::string(text) + "' is not a duration, written like 250ms, 10s, 5m, 1h or 30d");
  }
}

TEST(TextTest, RefusesDurationsOutsideTheirRangeEvenBeyond64Bits) {
  for (const char* text : {"999ms", "2h", "999999999999999999d", "99999999999999999999999s"}) {
    const auto result = parse_duration(text, Millis{1000}, hours(1));
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().detail, "'" + std::string(text) + "' is not from 1s to 1h");
  }
}

TEST(TextTest, ReadsSizes) {
  EXPECT_EQ(*parse_size("64KiB", 0, INT64_MAX), 65536);
  EXPECT_EQ(*parse_size("256MiB", 0, INT64_MAX), 268435456);
  EXPECT_EQ(*parse_size("2GiB", 0, INT64_MAX), 2147483648);
}

TEST(TextTest, RefusesSizesOfAnotherFormOrOutsideTheirRange) {
  for (const char* text : {"", "64", "64MB", "64M", "64mib", "1.5GiB", "-1MiB"}) {
    const auto result = parse_size(text, 0, INT64_MAX);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().detail, "'" + std::string(text) + "' is not a size, written like 64KiB, 256MiB or 2GiB");
  }
  EXPECT_EQ(parse_size("4MiB", 8 << 20, 1ll << 40).error().detail, "'4MiB' is not from 8MiB to 1024GiB");
}

TEST(TextTest, FindsTheNearestKnownWord) {
  const std::vector<std::string> known{"baud", "bus", "device", "active_energy_import", "active_power"};
  EXPECT_EQ(nearest("bard", known), "baud");
  EXPECT_EQ(nearest("BAUD", known), "baud");
  EXPECT_EQ(nearest("devcie", known), "device");
  EXPECT_EQ(nearest("active_powr", known), "active_power");
  EXPECT_EQ(nearest("act", known), "active_power") << "a beginning counts too";
  EXPECT_EQ(hint("bard", known), " (did you mean 'baud'?)");
}

TEST(TextTest, CountsTwoLettersSwappedAsOneError) {
  EXPECT_EQ(nearest("mian", {"main", "pv"}), "main");
  EXPECT_EQ(nearest("sclae", {"scale", "offset"}), "scale");
  EXPECT_EQ(nearest("bsu", {"bus", "baud"}), "bus");
  EXPECT_EQ(nearest("ab", {"cd"}), std::nullopt);
}

TEST(TextTest, QuotesWithAQuestionMarkForWhatATerminalWouldObey) {
  EXPECT_EQ(in_quotes("a b"), "'a b'");
  EXPECT_EQ(in_quotes(""), "''");
  EXPECT_EQ(in_quotes("Z\xC3\xA4hler"), "'Z\xC3\xA4hler'");
  EXPECT_EQ(in_quotes("a\x1B[31m\n\tb\x7F"), "'a?[31m??b?'");
  EXPECT_EQ(in_quotes(std::string("a\0b", 3)), "'a?b'");
  EXPECT_EQ(in_quotes("\xC2\x9B"
                      "31m"),
            "'?31m'")
      << "U+009B begins a control sequence, too";
  EXPECT_EQ(in_quotes("\xFF\xC3"),
            "'?"
            "?'")
      << "no UTF-8";
}

TEST(TextTest, QuotesAtMost200Characters) {
  EXPECT_EQ(in_quotes(std::string(200, 'x')), "'" + std::string(200, 'x') + "'");
  EXPECT_EQ(in_quotes(std::string(1 << 20, 'x')), "'" + std::string(200, 'x') + "...'");
  std::string umlauts;
  for (int i = 0; i < 201; ++i) umlauts += "\xC3\xA4";
  EXPECT_EQ(in_quotes(umlauts), "'" + umlauts.substr(0, 400) + "...'") << "a character is not cut";
}

TEST(TextTest, SuggestsNothingForAWordFarFromAll) {
  const std::vector<std::string> known{"a", "baud", "bus"};
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("timeout", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(10'000, 'b'), known), std::nullopt);
  EXPECT_EQ(hint("timeout", known), "");
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(TextTest, PutsAnIpv6AddressInBracketsBeforeItsPort) {
  EXPECT_EQ(host_port("broker.example.com", 1883), "broker.example.com:1883");
  EXPECT_EQ(host_port("10.0.0.7", 502), "10.0.0.7:502");
  EXPECT_EQ(host_port("2001:db8::7", 502), "[2001:db8::7]:502");
}

TEST(TextTest, MatchesPatternsWithStars) {
  for (const GlobCase& c : {GlobCase{"*", "", true},
                            {"*", "abc", true},
                            {"", "", true},
                            {"", "a", false},
                            {"active_*", "active_power", true},
                            {"active_*", "reactive_power", false},
                            {"*_l1", "voltage_l1", true},
                            {"*_l1", "voltage_l1_l2", false},
                            {"*_l*_l*", "voltage_l1_l2", true},
                            {"a*b*c", "axxbxxbc", true},
                            {"a*b*c", "axxbxxb", false},
                            {"a**", "a", true},
                            {"abc", "abcd", false},
                            {"abcd", "abc", false},
                            {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}}) {
    EXPECT_EQ(glob_match(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

struct TimeCase {
  const char* text;
  std::int64_t ms;
  const char* printed;
};

TEST(TextTest, ReadsAndPrintsTimes) {
  for (const TimeCase& c : {TimeCase{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
                            {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
                            {"2000-02-29T12:00:00Z", 951'825'600'000, "2000-02-29T12:00:00.000Z"},
                            {"2000-12-31T23:59:59Z", 978'307'199'000, "2000-12-31T23:59:59.000Z"},
                            {"2038-01-19T03:14:08Z", 2'147'483'648'000, "2038-01-19T03:14:08.000Z"},
                            {"2026-11-22T10:00:30.000Z", 1'795'341'630'000, "2026-11-22T10:00:30.000Z"},
                            {"2026-11-22t10:00:30.1239z", 1'795'341'630'123, "2026-11-22T10:00:30.123Z"},
                            {"2026-11-22 10:00:30.5Z", 1'795'341'630'500, "2026-11-22T10:00:30.500Z"},
                            {"2026-11-22T11:30:30+01:30", 1'795'341'630'000, "2026-11-22T10:00:30.000Z"},
                            {"2026-11-21T23:00:30-11:00", 1'795'341'630'000, "2026-11-22T10:00:30.000Z"},
                            {"2016-12-31T23:59:60Z", 1'483'228'800'000, "2017-01-01T00:00:00.000Z"},
                            {"0000-01-01T00:00:00Z", -62'167'219'200'000, "0000-01-01T00:00:00.000Z"},
                            {"9999-12-31T23:59:59.999Z", 253'402'300'799'999, "9999-12-31T23:59:59.999Z"}}) {
    const auto time = parse_rfc3339(c.text);
    ASSERT_TRUE(time) << c.text;
    EXPECT_EQ(to_ms(*time), c.ms) << c.text;
    EXPECT_EQ(rfc3339(*time), c.printed);
  }
}

TEST(TextTest, PrintsEveryDayOfFourCenturiesAsItReadsIt) {
  std::string last;
  for (std::int64_t day = -50'000; day < 110'000; ++day) {
    const std::string text = rfc3339(from_ms(day * 86'400'000));
    ASSERT_LT(last, text);
    ASSERT_EQ(to_ms(*parse_rfc3339(text)), day * 86'400'000) << text;
    last = text;
  }
}

TEST(TextTest, TakesNoOtherFormOfTime) {
  for (const char* text : {"",
                           "2026-11-22",
                           "2026-11-22T10:00:30",
                           "2026-11-22T10:00Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T10:60:00Z",
                           "2026-11-22T10:00:61Z",
                           "2026-11-22T10:00:60Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-11-22T10:00:30.Z",
                           "2026-11-22T10:00:30,5Z",
                           "2026-11-22T10:00:30+0100",
                           "2026-11-22T10:00:30+24:00",
                           "2026-11-22T10:00:30Zx",
                           " 2026-11-22T10:00:30Z",
                           "26-11-22T10:00:30Z",
                           "2026-1-22T10:00:30Z",
                           "1795341630",
                           "+026-11-22T10:00:30Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

class FileTest : public testing::Test {
 protected:
  FileTest() : path_(testing::TempDir() + "text_test." + std::to_string(getpid())) {}
  ~FileTest() override { std::remove(path_.c_str()); }
  void write(const std::string& content) { std::ofstream(path_, std::ios::binary) << content; }
  std::string path_;
};

TEST_F(FileTest, ReadsAWholeFileWithAllItsBytes) {
  const std::string content("a\0b\r\n\xEF", 6);
  write(content);
  EXPECT_EQ(*read_file(path_), content);
  write(std::string(100'000, 'x'));
  EXPECT_EQ(read_file(path_)->size(), 100'000u);
}

TEST_F(FileTest, RefusesAFileOverTheBound) {
  write("12345");
  EXPECT_TRUE(read_file(path_, 5));
  EXPECT_EQ(read_file(path_, 4).error().code, Errc::kInvalid);
  EXPECT_EQ(read_file(path_, 4).error().detail, "'" + path_ + "' is larger than the 4 bytes that it may have");
}

TEST_F(FileTest, TellsWhyAFileCannotBeRead) {
  const auto missing = read_file(path_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_EQ(missing.error().detail, "cannot read '" + path_ + "': No such file or directory");
  EXPECT_EQ(read_file("/").error().detail, "cannot read '/': Is a directory");
}

}  // namespace
}  // namespace metergate
