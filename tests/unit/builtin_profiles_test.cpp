#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "drivers/builtin_profiles.h"
#include "drivers/decode.h"
#include "drivers/plan.h"
#include "tests/unit/profile_text.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Words words_of(const std::string& hex) {
  Words words;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
    if (digits.size() == 4) {
      words.push_back(static_cast<std::uint16_t>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return words;
}

struct Dump {
  Table table;
  std::uint16_t address;
  std::string hex;
};

/// All values of a profile from what a meter answered, "name=value" in the order of the profile.
std::vector<std::string> values_of(const std::string& name, const std::vector<Dump>& dumps) {
  const auto library = ProfileLibrary::load({});
  if (!library) return {library.error().detail};
  const Profile* profile = library->find(name);
  if (profile == nullptr) return {"no profile " + name};
  RegisterImage image;
  for (const Dump& dump : dumps) {
    const Words words = words_of(dump.hex);
    image.put({dump.table, dump.address, static_cast<std::uint16_t>(words.size())}, words);
  }
  std::vector<std::string> values;
  for (const Point& point : profile->points) {
    const auto decoded = decode(*profile, point, image, {});
    if (!decoded) {
      values.push_back(point.name + "!" + decoded.error().detail);
    } else if (decoded->value.form == Value::Form::kNull) {
      values.push_back(point.name + "=null");
    } else {
      values.push_back(point.name + "=" + decoded->value.text + (point.unit.empty() ? "" : " " + point.unit));
    }
  }
  return values;
}

TEST(BuiltinProfilesTest, AreThere) {
  const auto library = ProfileLibrary::load({});
  ASSERT_TRUE(library) << library.error().detail;
  EXPECT_THAT(library->names(), ElementsAre("abb_b23", "dtsu666", "em340", "iem3155", "pac2200", "raw", "sdm120",
                                            "sdm230", "sdm630", "umg96rm"));
  for (const auto& [name, text] : builtin_profiles()) EXPECT_EQ(library->text(name), text);
}

TEST(BuiltinProfilesTest, RawHasNoPointsButTheGuide) {
  const auto library = ProfileLibrary::load({});
  EXPECT_TRUE(library->find("raw")->points.empty());
  EXPECT_THAT(*library->text("raw"), HasSubstr("verify=POINT after 500ms"));
}

TEST(BuiltinProfilesTest, ReadEveryMeterInFewRequests) {
  const std::pair<std::string, std::size_t> cases[] = {{"sdm630", 3},  {"sdm120", 3},  {"iem3155", 5},
                                                       {"abb_b23", 6}, {"em340", 3},   {"dtsu666", 5},
                                                       {"umg96rm", 1}, {"pac2200", 3}, {"raw", 0}};
  const auto library = ProfileLibrary::load({});
  for (const auto& [name, requests] : cases) {
    const Profile& profile = *library->find(name);
    std::vector<const Point*> points;
    for (const Point& point : profile.points) points.push_back(&point);
    const auto blocks = plan_blocks(profile, points, {});
    EXPECT_EQ(blocks.size(), requests) << name;
    for (const Block& block : blocks) EXPECT_LE(block.count, profile.max_registers) << name;
  }
}

TEST(BuiltinProfilesTest, ReadAnSdm630) {
  const std::vector<Dump> dumps = {
      {Table::kInput, 0, "4366 199A 4365 8000 4367 4CCD 40A0 0000 3F00 0000 0000 0000 448F C000 42E6 0000 C2C8 0000"},
      {Table::kInput, 52, "448D 0000"},
      {Table::kInput, 62, "3F7A E148"},
      {Table::kInput, 70, "4248 0A3D 449A 51EC 3FC0 0000"},
      {Table::kInput, 342, "449A 81EC"}};
  EXPECT_THAT(values_of("sdm630", dumps),
              ElementsAre("voltage_l1=230.1 V", "voltage_l2=229.5 V", "voltage_l3=231.3 V", "current_l1=5 A",
                          "current_l2=0.5 A", "current_l3=0 A", "active_power_l1=1150 W", "active_power_l2=115 W",
                          "active_power_l3=-100 W", "active_power=1128 W", "power_factor=0.98", "frequency=50.01 Hz",
                          "active_energy_import=1234.56 kWh", "active_energy_export=1.5 kWh",
                          "active_energy_total=1236.06 kWh"));
}

TEST(BuiltinProfilesTest, ReadAnSdm120) {
  const std::vector<Dump> dumps = {{Table::kInput, 0, "4366 199A"},
                                   {Table::kInput, 6, "3DCC CCCD"},
                                   {Table::kInput, 12, "41B8 0000"},
                                   {Table::kInput, 18, "41C0 0000"},
                                   {Table::kInput, 24, "C0E0 0000"},
                                   {Table::kInput, 30, "3F75 C28F"},
                                   {Table::kInput, 70, "4247 F5C3 4640 E6B7 0000 0000"},
                                   {Table::kInput, 342, "4640 E6B7"}};
  EXPECT_THAT(values_of("sdm120", dumps),
              ElementsAre("voltage_l1=230.1 V", "current_l1=0.1 A", "active_power=23 W", "apparent_power=24 VA",
                          "reactive_power=-7 var", "power_factor=0.96", "frequency=49.99 Hz",
                          "active_energy_import=12345.679 kWh", "active_energy_export=0 kWh",
                          "active_energy_total=12345.679 kWh"));
}

TEST(BuiltinProfilesTest, ReadAnIem3155) {
  const std::vector<Dump> dumps = {{Table::kHolding, 2999, "3F80 0000 4000 0000 7FC0 0000"},
                                   {Table::kHolding, 3027, "4366 199A 4366 199A 4366 199A"},
                                   {Table::kHolding, 3053, "3F9E 0419 3F00 0000 BF00 0000 3FBC 6A7F"},
                                   {Table::kHolding, 3109, "4248 0000"},
                                   {Table::kHolding, 3203, "0000 0002 540B E401 8000 0000 0000 0000"}};
  EXPECT_THAT(values_of("iem3155", dumps),
              ElementsAre("current_l1=1 A", "current_l2=2 A", "current_l3=null", "voltage_l1=230.1 V",
                          "voltage_l2=230.1 V", "voltage_l3=230.1 V", "active_power_l1=1234.5 W",
                          "active_power_l2=500 W", "active_power_l3=-500 W", "active_power=1472 W", "frequency=50 Hz",
                          "active_energy_import=10000000.001 kWh", "active_energy_export=null"));
}

TEST(BuiltinProfilesTest, ReadAnAbbB23) {
  const std::vector<Dump> dumps = {
      {Table::kHolding, 0x5000, "0000 0000 0001 E240 FFFF FFFF FFFF FFFF"},
      {Table::kHolding, 0x5460, "0000 0000 0000 0001 0000 0000 0000 0002 0000 0000 0000 0003"},
      {Table::kHolding, 0x5B00, "0000 08FD 0000 08FE FFFF FFFF"},
      {Table::kHolding, 0x5B0C, "0000 01F4 0000 0032 FFFF FFFF"},
      {Table::kHolding, 0x5B14, "0001 86A0 0001 86A0 FFFF FF9C 7FFF FFFF"},
      {Table::kHolding, 0x5B2C, "1388"},
      {Table::kHolding, 0x5B3A, "FC18"},
      {Table::kHolding, 0x8900, "0012 D687"}};
  EXPECT_THAT(
      values_of("abb_b23", dumps),
      ElementsAre("active_energy_import=1234.56 kWh", "active_energy_export=null", "active_energy_import_l1=0.01 kWh",
                  "active_energy_import_l2=0.02 kWh", "active_energy_import_l3=0.03 kWh", "voltage_l1=230.1 V",
                  "voltage_l2=230.2 V", "voltage_l3=null", "current_l1=5 A", "current_l2=0.5 A", "current_l3=null",
                  "active_power=1000 W", "active_power_l1=1000 W", "active_power_l2=-1 W", "active_power_l3=null",
                  "frequency=50 Hz", "power_factor=-1", "serial_number=1234567"));
}

TEST(BuiltinProfilesTest, ReadAnEm340) {
  const std::vector<Dump> dumps = {{Table::kInput, 0x00, "08FD 0000 08FE 0000 08FF 0000"},
                                   {Table::kInput, 0x0C, "1388 0000 FE0C FFFF 0000 0000 2CEC 0000 FF9C FFFF 0000 0001"},
                                   {Table::kInput, 0x28, "2C88 0000"},
                                   {Table::kInput, 0x31, "03D4"},
                                   {Table::kInput, 0x33, "01F4 E240 0001"},
                                   {Table::kInput, 0x4E, "0001 0000"}};
  EXPECT_THAT(values_of("em340", dumps),
              ElementsAre("voltage_l1=230.1 V", "voltage_l2=230.2 V", "voltage_l3=230.3 V", "current_l1=5 A",
                          "current_l2=-0.5 A", "current_l3=0 A", "active_power_l1=1150 W", "active_power_l2=-10 W",
                          "active_power_l3=6553.6 W", "active_power=1140 W", "power_factor=0.98", "frequency=50 Hz",
                          "active_energy_import=12345.6 kWh", "active_energy_export=0.1 kWh"));
}

TEST(BuiltinProfilesTest, ReadADtsu666) {
  const std::vector<Dump> dumps = {
      {Table::kHolding, 0x101E, "449A 51EC"},
      {Table::kHolding, 0x1028, "3FC0 0000"},
      {Table::kHolding, 0x2006,
       "450F D000 450F D666 450F E000 459C 4000 43FA 0000 0000 0000 462F C800 462F C800 C47A 0000 0000 0000"},
      {Table::kHolding, 0x202A, "4475 0000"},
      {Table::kHolding, 0x2044, "459C 4000"}};
  EXPECT_THAT(values_of("dtsu666", dumps),
              ElementsAre("active_energy_import=1234.56 kWh", "active_energy_export=1.5 kWh", "voltage_l1=230.1 V",
                          "voltage_l2=230.14 V", "voltage_l3=230.2 V", "current_l1=5 A", "current_l2=0.5 A",
                          "current_l3=0 A", "active_power=1125 W", "active_power_l1=1125 W", "active_power_l2=-100 W",
                          "active_power_l3=0 W", "power_factor=0.98", "frequency=50 Hz"));
}

TEST(BuiltinProfilesTest, ReadAnUmg96rm) {
  const std::vector<Dump> dumps = {{Table::kHolding, 19000, "4366 199A 4366 199A 4366 199A"},
                                   {Table::kHolding, 19012, "40A0 0000 40A0 0000 40A0 0000"},
                                   {Table::kHolding, 19020, "448F C000 448F C000 448F C000 4557 A000"},
                                   {Table::kHolding, 19050, "4248 0000"},
                                   {Table::kHolding, 19068, "4996 B440"},
                                   {Table::kHolding, 19076, "0000 0000"}};
  EXPECT_THAT(values_of("umg96rm", dumps),
              ElementsAre("voltage_l1=230.1 V", "voltage_l2=230.1 V", "voltage_l3=230.1 V", "current_l1=5 A",
                          "current_l2=5 A", "current_l3=5 A", "active_power_l1=1150 W", "active_power_l2=1150 W",
                          "active_power_l3=1150 W", "active_power=3450 W", "frequency=50 Hz",
                          "active_energy_import=1234.568 kWh", "active_energy_export=0 kWh"));
}

TEST(BuiltinProfilesTest, ReadAPac2200) {
  const std::vector<Dump> dumps = {{Table::kHolding, 1, "4366 199A 4366 199A 4366 199A"},
                                   {Table::kHolding, 13, "40A0 0000 40A0 0000 40A0 0000"},
                                   {Table::kHolding, 25, "448F C000 448F C000 448F C000"},
                                   {Table::kHolding, 65, "4557 A000"},
                                   {Table::kHolding, 69, "3F7A E148"},
                                   {Table::kHolding, 801, "419D 6F34 547E 5C92"},
                                   {Table::kHolding, 809, "0000 0000 0000 0000"}};
  EXPECT_THAT(values_of("pac2200", dumps),
              ElementsAre("voltage_l1=230.1 V", "voltage_l2=230.1 V", "voltage_l3=230.1 V", "current_l1=5 A",
                          "current_l2=5 A", "current_l3=5 A", "active_power_l1=1150 W", "active_power_l2=1150 W",
                          "active_power_l3=1150 W", "active_power=3450 W", "power_factor=0.98",
                          "active_energy_import=123456.7891234 kWh", "active_energy_export=0 kWh"));
}

class ProfileFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("profiles." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string refusal() {
    const auto library = ProfileLibrary::load({folder_.string()});
    return library ? "none" : library.error().detail;
  }
  std::filesystem::path folder_;
};

TEST_F(ProfileFolderTest, AddsProfilesThatMayExtendOthersInAnyOrder) {
  put("a.ini", "[profile]\nformat = 1\nextends = z\n");
  put("z.ini", "[profile]\nformat = 1\nextends = dtsu666\n[points]\nactive_energy_import = holding 0x401E f32\n");
  put("notes.txt", "no profile");
  put(".a.ini.swp", "no profile");
  put(".hidden.ini", "no profile");
  const auto library = ProfileLibrary::load({folder_.string()});
  ASSERT_TRUE(library) << library.error().detail;
  EXPECT_EQ(library->find("a")->find("active_energy_import")->addresses.front(), 0x401E);
  EXPECT_EQ(library->find("a")->points.size(), library->find("dtsu666")->points.size());
  EXPECT_NE(library->find("a")->digest, library->find("dtsu666")->digest);
}

TEST_F(ProfileFolderTest, NamesTheFileAndLineThatAreWrong) {
  const std::string path = put("mine.ini", "[profile]\nformat = 1\n[points]\nx = holdin 0 u16\n");
  EXPECT_THAT(refusal(), testing::StartsWith(path + ":4: 'holdin': "));
}

TEST_F(ProfileFolderTest, RedefinesNoBuiltinButTakesACopy) {
  std::string text;
  for (const auto& [name, builtin] : builtin_profiles()) {
    if (name == "sdm630") text = builtin;
  }
  const std::string path = put("sdm630.ini", text);
  EXPECT_EQ(refusal(), "none");
  put("sdm630.ini", text + "x = input 900 f32\n");
  EXPECT_THAT(refusal(), testing::StartsWith("'" + path + "': a profile named sdm630 is built-in sdm630.ini;"));
}

TEST_F(ProfileFolderTest, RefusesANameThatCannotBeWrittenInAFlag) {
  put("my meter.ini", "[profile]\nformat = 1\n");
  EXPECT_THAT(refusal(), HasSubstr("my meter.ini': the name of a profile is"));
}

TEST_F(ProfileFolderTest, RefusesAFolderThatIsNotThere) {
  const auto library = ProfileLibrary::load({"/nowhere/profiles"});
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, Errc::kNotFound);
  EXPECT_THAT(library.error().detail, testing::StartsWith("'/nowhere/profiles': No such file or directory"));
}

}  // namespace
}  // namespace metergate
