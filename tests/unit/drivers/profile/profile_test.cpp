#include "drivers/profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/unit/drivers/profile/profile_text.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

Point point_of(const std::string& rest) {
  const Profile profile = profile_of("p = " + rest + "\nq = holding 900 i16\n");
  const Point* point = profile.find("p");
  return point == nullptr ? Point{} : *point;
}

/// As the refusal of an unknown one lists them.
std::set<std::string> types_there_are() {
  const std::string refusal = refusal_of("p = holding 0 x\n");
  const std::string before = "a type is one of ";
  std::set<std::string> types;
  std::istringstream words(refusal.substr(refusal.find(before) + before.size()));
  for (std::string word; words >> word;) types.insert(word.substr(0, word.find(',')));
  return types;
}

TEST(ProfileTest, GivesEveryTypeItsRegisters) {
  const std::pair<std::string, int> cases[] = {{"u16", 1},
                                               {"i16", 1},
                                               {"u32", 2},
                                               {"i32", 2},
                                               {"u48", 3},
                                               {"i48", 3},
                                               {"u64", 4},
                                               {"i64", 4},
                                               {"f32", 2},
                                               {"f64", 4},
                                               {"u8", 1},
                                               {"i8 byte=high", 1},
                                               {"sm16", 1},
                                               {"sm32", 2},
                                               {"bcd registers=4", 4},
                                               {"m10k registers=3", 3},
                                               {"bits bits=3:5", 1},
                                               {"string registers=8", 8},
                                               {"string registers=125", 125},
                                               {"time form=unix", 2},
                                               {"time form=bcd", 3},
                                               {"time form=ymdhms", 6},
                                               {"time form=ymdhms registers=3", 3},
                                               {"u64 parts=0+10", 2}};
  std::set<std::string> tried;
  for (const auto& [type, registers] : cases) {
    EXPECT_EQ(point_of("holding 0 " + type).registers, registers) << type;
    tried.insert(type.substr(0, type.find(' ')));
  }
  tried.insert("sbcd");  // goes with data items: item_profile_test.cpp
  EXPECT_EQ(types_there_are(), tried);
}

TEST(ProfileTest, TakesTablesAndBothFormsOfAddress) {
  EXPECT_EQ(point_of("input 0x10 u16").table, Table::kInput);
  EXPECT_THAT(point_of("input 0x10 u16").addresses, ElementsAre(16));
  EXPECT_THAT(point_of("holding 65535 u16").addresses, ElementsAre(65535));
  EXPECT_EQ(point_of("coil 3 u16").table, Table::kCoil);
  EXPECT_EQ(point_of("discrete 3 bits").table, Table::kDiscrete);
}

TEST(ProfileTest, CountsBitsInCoilAndDiscreteTables) {
  const Point one = point_of("coil 3 u16");
  EXPECT_EQ(one.type, PointType::kBits);
  EXPECT_EQ(one.registers, 1);
  EXPECT_EQ(one.bit_width, 1);
  const Point field = point_of("discrete 100 bits bits=2:4");
  EXPECT_THAT(field.addresses, ElementsAre(102));
  EXPECT_EQ(field.registers, 4);
  EXPECT_EQ(field.bit_width, 4);
}

TEST(ProfileTest, TakesEveryKey) {
  EXPECT_EQ(point_of("holding 0 u32 order=CDAB").order, WordOrder::kCDAB);
  EXPECT_EQ(point_of("holding 0 u32 order=BADC").order, WordOrder::kBADC);
  EXPECT_EQ(point_of("holding 0 u32 order=DCBA").order, WordOrder::kDCBA);
  EXPECT_THAT(point_of("holding 5 u32 parts=9+5").addresses, ElementsAre(9, 5));
  EXPECT_EQ(point_of("holding 0 u32 scale=0.01").scale.text(), "0.01");
  EXPECT_EQ(point_of("holding 0 u32 offset=-40").offset.text(), "-40");
  EXPECT_EQ(point_of("holding 0 u32 exponent=q-4").exponent_point, "q");
  EXPECT_EQ(point_of("holding 0 u32 exponent=q-4").exponent_minus, 4);
  EXPECT_EQ(point_of("holding 0 u32 exponent=q+2").exponent_minus, -2);
  EXPECT_EQ(point_of("holding 0 u32 exponent=q").exponent_minus, 0);
  EXPECT_EQ(point_of("holding 0 u32 times=q").times_point, "q");
  EXPECT_EQ(point_of("holding 0 u32 sign=q").sign_point, "q");
  EXPECT_EQ(point_of("holding 0 u32 ratio=ct").ratio, Ratio::kCt);
  EXPECT_EQ(point_of("holding 0 u32 ratio=pt").ratio, Ratio::kPt);
  EXPECT_EQ(point_of("holding 0 u32 ratio=ct*pt").ratio, Ratio::kCtPt);
  EXPECT_EQ(point_of("holding 0 u16 enum=0:off|1:on").names.at(1), "on");
  EXPECT_EQ(point_of("holding 0 u16 \"enum=0:not ready|0x10:on fire\"").names.at(16), "on fire");
  EXPECT_EQ(point_of("holding 0 i16 enum=\"-1:not ready\"|0:ok").names.at(-1), "not ready");
  EXPECT_EQ(point_of("holding 0 u32 min=-1.5 max=10").min->text(), "-1.5");
  EXPECT_EQ(point_of("holding 0 u32 min=-1.5 max=10").max->text(), "10");
  EXPECT_EQ(point_of("holding 0 u32 kind=counter wraps=1000000").wraps->text(), "1000000");
  EXPECT_EQ(point_of("holding 0 u32 unit=m3").unit, "m3");
  EXPECT_EQ(point_of("holding 0 u32 obis=8-0:1.0.0").obis, "8-0:1.0.0");
  EXPECT_EQ(point_of("holding 0 u32 kind=state").kind, PointKind::kState);
  EXPECT_EQ(point_of("holding 0 u32 source=once").sources, 1);
  EXPECT_EQ(point_of("holding 0 u32 source=twice").sources, 2);
  EXPECT_TRUE(point_of("holding 0 u8 byte=high").high_byte);
  EXPECT_FALSE(point_of("holding 0 u8").high_byte);
  EXPECT_EQ(point_of("holding 0 string registers=4 chars=1 byte=high").chars, 1);
}

TEST(ProfileTest, TakesTheMostThatACounterCanRise) {
  EXPECT_EQ(point_of("holding 0 u32 unit=kWh max_rise=69.3").max_rise, Decimal::parse("69.3"));
  EXPECT_EQ(point_of("holding 0 u32 unit=kWh").max_rise, std::nullopt);
}

TEST(ProfileTest, TakesSixtyThousandNamesOfStatesAtOnce) {
  std::string line = "p = holding 0 u16 enum=0:s0";
  for (int i = 1; i < 60'000; ++i) line += "|" + std::to_string(i) + ":s" + std::to_string(i);
  const Profile profile = profile_of(line + "\n");
  ASSERT_EQ(profile.points.size(), 1u);
  EXPECT_EQ(profile.points[0].names.size(), 60'000u);
}

TEST(ProfileTest, TurnsNotAvailableValuesIntoPatterns) {
  const std::pair<std::string, std::uint64_t> cases[] = {
      {"u16 na=65535", 0xFFFF},
      {"u16 na=0xFFFF", 0xFFFF},
      {"i16 na=-32768", 0x8000},
      {"u64 na=0xFFFFFFFFFFFFFFFF", ~std::uint64_t{0}},
      {"i64 na=0x8000000000000000", std::uint64_t{1} << 63},
      {"u32 parts=0+9 na=0x80000000", 0x80000000},
      {"sm16 na=-1", 0x8001},
      {"bcd registers=1 na=1234", 0x1234},
      {"bcd registers=1 na=0xEEEE", 0xEEEE},
      {"m10k registers=2 na=12345678", 0x04D2162E},
      {"f32 na=-1", 0xBF800000},
      {"f32 na=1e12", 0x5368D4A5},
      {"f32 na=0x7F7FFFFF", 0x7F7FFFFF},
      {"u8 na=0xFF", 0xFF},
      {"bits bits=4:2 na=3", 3},
      {"time form=unix na=0", 0},
  };
  for (const auto& [rest, pattern] : cases)
    EXPECT_THAT(point_of("holding 0 " + rest).not_available, ElementsAre(pattern)) << rest;
  EXPECT_THAT(point_of("holding 0 u16 na=0xFFFF|0xFFFE|7").not_available, ElementsAre(0xFFFF, 0xFFFE, 7));
}

TEST(ProfileTest, ReadsHowAPointIsWritten) {
  const Point relay = point_of("coil 7 u16 enum=0:off|1:on write=coil allow=0|1 verify=q after 500ms unit=x");
  ASSERT_TRUE(relay.write);
  EXPECT_EQ(relay.write->form, Write::Form::kCoil);
  EXPECT_EQ(relay.write->address, 7);
  EXPECT_EQ(relay.write->allow.size(), 2u);
  EXPECT_EQ(relay.write->verify, "q");
  EXPECT_EQ(relay.write->verify_after, Millis(500));
  EXPECT_EQ(relay.unit, "x");
  EXPECT_EQ(point_of("holding 0 u16 write=register verify=p").write->verify_after, Millis(0));
  EXPECT_EQ(point_of("holding 0 u16 write=register \"verify=p after 2s\"").write->verify_after, Millis(2000));
  EXPECT_EQ(point_of("holding 0 f32 write=registers").write->form, Write::Form::kRegisters);
  EXPECT_EQ(point_of("input 0 u16 write=register write_address=0x20").write->address, 32);
  EXPECT_EQ(point_of("coil 0 bits bits=0:4 write=coils").write->form, Write::Form::kCoils);
  EXPECT_FALSE(point_of("holding 0 u16").write);
}

TEST(ProfileTest, KnowsUnitAndCodeOfStandardNames) {
  struct Case {
    std::string name, unit, obis;
    PointKind kind;
  };
  const Case cases[] = {
      {"active_energy_import", "kWh", "1-0:1.8.0", PointKind::kCounter},
      {"active_energy_export", "kWh", "1-0:2.8.0", PointKind::kCounter},
      {"active_energy_total", "kWh", "1-0:15.8.0", PointKind::kCounter},
      {"active_energy_import_l1", "kWh", "1-0:21.8.0", PointKind::kCounter},
      {"active_energy_export_l3", "kWh", "1-0:62.8.0", PointKind::kCounter},
      {"active_energy_import_t1", "kWh", "1-0:1.8.1", PointKind::kCounter},
      {"active_energy_import_l2_t8", "kWh", "1-0:41.8.8", PointKind::kCounter},
      {"reactive_energy_import", "kvarh", "1-0:3.8.0", PointKind::kCounter},
      {"reactive_energy_export", "kvarh", "1-0:4.8.0", PointKind::kCounter},
      {"apparent_energy_import", "kVAh", "1-0:9.8.0", PointKind::kCounter},
      {"active_power", "W", "1-0:16.7.0", PointKind::kGauge},
      {"active_power_l2", "W", "1-0:56.7.0", PointKind::kGauge},
      {"reactive_power", "var", "", PointKind::kGauge},
      {"reactive_power_l1", "var", "", PointKind::kGauge},
      {"apparent_power", "VA", "1-0:9.7.0", PointKind::kGauge},
      {"power_factor", "", "1-0:13.7.0", PointKind::kGauge},
      {"power_factor_l3", "", "1-0:73.7.0", PointKind::kGauge},
      {"frequency", "Hz", "1-0:14.7.0", PointKind::kGauge},
      {"voltage_l1", "V", "1-0:32.7.0", PointKind::kGauge},
      {"voltage_l2", "V", "1-0:52.7.0", PointKind::kGauge},
      {"voltage_l3", "V", "1-0:72.7.0", PointKind::kGauge},
      {"voltage_l1_l2", "V", "", PointKind::kGauge},
      {"current_l1", "A", "1-0:31.7.0", PointKind::kGauge},
      {"current_l3", "A", "1-0:71.7.0", PointKind::kGauge},
      {"current_n", "A", "1-0:91.7.0", PointKind::kGauge},
      {"serial_number", "", "0-0:96.1.0", PointKind::kText},
      {"temperature", "", "", PointKind::kGauge},
      {"active_power_t1", "", "", PointKind::kGauge},
      {"voltage", "", "", PointKind::kGauge},
  };
  for (const Case& c : cases) {
    const Profile profile = profile_of(c.name + " = holding 0 u32\n");
    ASSERT_EQ(profile.points.size(), 1u);
    EXPECT_EQ(profile.points[0].unit, c.unit) << c.name;
    EXPECT_EQ(profile.points[0].obis, c.obis) << c.name;
    EXPECT_EQ(profile.points[0].kind, c.kind) << c.name;
  }
}

TEST(ProfileTest, GuessesTheKindOfOtherPointsFromTypeAndUnit) {
  EXPECT_EQ(point_of("holding 0 u32 unit=kWh").kind, PointKind::kCounter);
  EXPECT_EQ(point_of("holding 0 u32 unit=m3").kind, PointKind::kGauge);
  EXPECT_EQ(point_of("holding 0 u16 enum=0:off").kind, PointKind::kState);
  EXPECT_EQ(point_of("holding 0 bits bits=0:1").kind, PointKind::kState);
  EXPECT_EQ(point_of("holding 0 string registers=2").kind, PointKind::kText);
  EXPECT_EQ(point_of("holding 0 time form=unix").kind, PointKind::kText);
  EXPECT_EQ(profile_of("serial_number = holding 0 u16 enum=1:a\n").points.at(0).kind, PointKind::kState);
}

TEST(ProfileTest, TakesTheKeysOfItsHeader) {
  const Profile profile =
      profile_of("p = holding 0 u32\n",
                 "name = \"My meter\"\nmaker = A & B\nmodel = X1\norder = CDAB\nmax_registers = 60\n"
                 "hole = 4\npause = 50ms\nidentify = holding 0x1000 u32 0x12345\n");
  EXPECT_EQ(profile.name, "meter");
  EXPECT_EQ(profile.title, "My meter");
  EXPECT_EQ(profile.maker, "A & B");
  EXPECT_EQ(profile.model, "X1");
  EXPECT_EQ(profile.points[0].order, WordOrder::kCDAB);
  EXPECT_EQ(profile.max_registers, 60);
  EXPECT_EQ(profile.hole, 4);
  EXPECT_EQ(profile.pause, Millis(50));
  ASSERT_TRUE(profile.identify);
  EXPECT_EQ(profile.identify->point.order, WordOrder::kCDAB);
  EXPECT_EQ(profile.identify->text, "74565");
  EXPECT_EQ(profile_of("").hole, std::nullopt);
}

TEST(ProfileTest, IdentifiesByATextToo) {
  const Profile profile = profile_of("", "identify = input 0x31 string \"B23 1\"");
  EXPECT_EQ(profile.identify->text, "B23 1");
  EXPECT_EQ(profile.identify->point.registers, 3);
}

TEST(ProfileTest, NeedsNoPoints) {
  const auto profile = read_text("[profile]\nformat = 1\n");
  ASSERT_TRUE(profile);
  EXPECT_TRUE(profile->points.empty());
}

TEST(ProfileTest, ReadsWindowsFilesAndComments) {
  const auto profile =
      read_text("\xEF\xBB\xBF# c\r\n[profile]\r\nformat=1\r\n\r\n  # c\r\n[points]\r\np\t=\tholding\t0 u16 \r\n");
  ASSERT_TRUE(profile) << profile.error().detail;
  EXPECT_THAT(profile->point_names(), ElementsAre("p"));
  EXPECT_EQ(profile->points[0].line, 7);
}

class ExtendsTest : public testing::Test {
 protected:
  Result<Profile> read(const std::string& text) {
    return parse_profile("variant", "variant.ini", text,
                         [this](const std::string& name) -> std::optional<std::string> {
                           const auto found = files_.find(name);
                           if (found == files_.end()) return std::nullopt;
                           return found->second;
                         },
                         {"base", "other"});
  }
  std::map<std::string, std::string> files_{
      {"base",
       with_points("a = holding 0 u32\nb = holding 2 u32\n", "maker = M\norder = CDAB\nmax_registers = 60\nhole = 0")}};
};

TEST_F(ExtendsTest, ReplacesAndAddsPointsAndKeepsTheRest) {
  const auto profile = read(
      "[profile]\nformat = 1\nextends = base\nmodel = V2\nhole = 5\n[points]\nb = holding 8 u16\nc = input 1 u32\n");
  ASSERT_TRUE(profile) << profile.error().detail;
  EXPECT_EQ(profile->name, "variant");
  EXPECT_EQ(profile->maker, "M");
  EXPECT_EQ(profile->model, "V2");
  EXPECT_EQ(profile->max_registers, 60);
  EXPECT_EQ(profile->hole, 5);
  EXPECT_THAT(profile->point_names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(profile->find("b")->type, PointType::kU16);
  EXPECT_EQ(profile->find("b")->addresses.front(), 8);
  EXPECT_EQ(profile->find("c")->order, WordOrder::kCDAB);
}

TEST_F(ExtendsTest, AnOrderOfItsOwnHoldsForItsOwnLinesOnly) {
  const auto profile = read("[profile]\nformat = 1\nextends = base\norder = ABCD\n[points]\nb = holding 8 u32\n");
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->find("a")->order, WordOrder::kCDAB);
  EXPECT_EQ(profile->find("b")->order, WordOrder::kABCD);
}

TEST_F(ExtendsTest, RefusesCircles) {
  files_["base"] = "[profile]\nformat = 1\nextends = variant\n";
  const auto profile = read("[profile]\nformat = 1\nextends = base\n");
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().detail, StartsWith("base.ini:3: 'variant': extends goes in a circle"));
}

TEST_F(ExtendsTest, SuggestsAProfileThatIsThere) {
  const auto profile = read("[profile]\nformat = 1\nextends = bas\n");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().detail, "variant.ini:3: 'bas': no such profile (did you mean 'base'?)");
}

TEST_F(ExtendsTest, NamesTheFileInWhichAnInheritedLineIsWrong) {
  files_["base"] = with_points("a = holding 0 u16 times=b\nb = holding 1 u16\n");
  const auto profile = read("[profile]\nformat = 1\nextends = base\n[points]\nb = holding 1 string registers=1\n");
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().detail, StartsWith("base.ini:5: 'times=b': that point is no number"));
}

TEST(ProfileDigestTest, StaysWhenOnlyTheFormChanges) {
  const std::string digest = profile_of("a = holding 0 u32 scale=0.10 unit=V\nb = input 1 u16\n").digest;
  EXPECT_EQ(digest.size(), 8u);
  EXPECT_EQ(digest.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(digest,
            profile_of("# c\nb   = input  0x1 u16\n\na = holding 0 u32 unit=V scale=0.1\n", "maker = M").digest);
  EXPECT_EQ(digest, profile_of("a = holding 0 u32 order=ABCD scale=0.1 unit=V source=once\nb = input 1 u16\n").digest);
}

TEST(ProfileDigestTest, ChangesWithTheMeaningOfAnyPoint) {
  const std::string lines[] = {"a = holding 0 u32",
                               "b = holding 0 u32",
                               "a = input 0 u32",
                               "a = holding 1 u32",
                               "a = holding 0 i32",
                               "a = holding 0 u32 order=CDAB",
                               "a = holding 0 u32 order=BDAC",
                               "a = holding 0 u32 order=BDCA",
                               "a = holding 0 u32 register_bytes=4",
                               "a = holding 0 u32 scale=0.1",
                               "a = holding 0 u32 offset=1",
                               "a = holding 0 u32 unit=V",
                               "a = holding 0 u32 obis=1-0:1.8.0",
                               "a = holding 0 u32 kind=counter",
                               "a = holding 0 u32 na=1",
                               "a = holding 0 u32 min=1",
                               "a = holding 0 u32 max=1",
                               "a = holding 0 u32 ratio=ct",
                               "a = holding 0 u32 enum=1:on",
                               "a = holding 0 u32 parts=0+9",
                               "a = holding 0 u32 write=registers",
                               "a = holding 0 u8",
                               "a = holding 0 u8 byte=high",
                               "a = holding 0 bits bits=0:1",
                               "a = holding 0 bits bits=1:1",
                               "a = holding 0 u32\nb = holding 0 u32"};
  std::map<std::string, std::string> seen;
  for (const std::string& line : lines) {
    const auto [before, is_new] = seen.emplace(profile_of(line + "\n").digest, line);
    EXPECT_TRUE(is_new) << line << " and " << before->second;
  }
}

TEST(ProfileDigestTest, StaysWhenACounterLearnsWhatItCanRise) {
  EXPECT_EQ(profile_of("a = holding 0 u32 kind=counter max_rise=70\n").digest,
            profile_of("a = holding 0 u32 kind=counter\n").digest);
}

}  // namespace
}  // namespace metergate
