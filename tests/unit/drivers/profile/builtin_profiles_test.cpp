#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/base/text.h"
#include "drivers/profile/builtin_profiles.h"
#include "drivers/profile/decode.h"
#include "drivers/profile/plan.h"
#include "tests/unit/drivers/profile/register_dump.h"

namespace metergate {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<std::string> values_of(const Profile& profile, const RegisterImage& image) {
  std::vector<std::string> values;
  for (const Point& point : profile.points) {
    const auto decoded = decode(profile, point, image, {});
    std::string text = decoded ? decoded->value.text : "error " + decoded.error().detail;
    if (decoded && decoded->value.form == Value::Form::kNull) text = "null";
    const bool has_unit = !point.unit.empty() && decoded && decoded->value.form == Value::Form::kNumber;
    values.push_back(point.name + " = " + text + (has_unit ? " " + point.unit : ""));
  }
  return values;
}

class BuiltinProfilesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(library_) << library_.error().detail; }
  Result<ProfileLibrary> library_ = ProfileLibrary::load({});
};

TEST_F(BuiltinProfilesTest, AreFilesAsTheyWereWritten) {
  EXPECT_GE(library_->names().size(), 26u);
  for (const auto& [name, text] : builtin_profiles()) EXPECT_EQ(library_->text(name), text);
}

TEST_F(BuiltinProfilesTest, RawHasNoPointsButTheGuide) {
  EXPECT_TRUE(library_->find("raw")->points.empty());
  const std::string guide = *library_->text("raw");
  for (const char* type : {"u16", "i16", "u32",  "i32",  "u48", "i48",  "u64",  "i64",    "f32",  "f64",
                           "u8",  "i8",  "sm16", "sm32", "bcd", "m10k", "bits", "string", "time", "sbcd"}) {
    EXPECT_THAT(guide, testing::ContainsRegex("[ /]" + std::string(type) + "[ \n]"));
  }
  for (const char* key :
       {"order=",    "parts=",          "scale=",  "offset=",    "exponent=",      "times=", "sign=",
        "ratio=",    "enum=",           "na=",     "min=",       "max=",           "wraps=", "unit=",
        "obis=",     "kind=",           "source=", "write=",     "write_address=", "allow=", "verify=POINT after 500ms",
        "max_rise=", "register_bytes=", "byte=",   "registers=", "bits=",          "chars=", "form="}) {
    EXPECT_THAT(guide, HasSubstr(key));
  }
  for (const char* key : {"protocol =", "bytes=", "at=", "block=", "preamble =", "password_level =", "write=relay"}) {
    EXPECT_THAT(guide, HasSubstr(key));
  }
}

TEST_F(BuiltinProfilesTest, TellTheMostThatEachCounterCanRise) {
  for (const std::string& name : library_->names()) {
    for (const Point& point : library_->find(name)->points) {
      if (point.kind != PointKind::kCounter) continue;
      ASSERT_TRUE(point.max_rise) << name << ' ' << point.name;
      // The guide's rule for the smallest meter there is, 40 A at 230 V in one phase, and the largest transformers.
      EXPECT_FALSE(*point.max_rise < *Decimal::parse("13.8")) << name << ' ' << point.name;
      EXPECT_FALSE(Decimal(935'000) < *point.max_rise) << name << ' ' << point.name;
    }
  }
}

TEST_F(BuiltinProfilesTest, NameTheirSource) {
  for (const std::string& name : library_->names()) {
    if (name == "raw") continue;
    EXPECT_THAT(*library_->text(name), testing::ContainsRegex("# .*[Ss]ource")) << name;
  }
}

TEST_F(BuiltinProfilesTest, ReadEveryMeterAsItsDumpSays) {
  for (const std::string& name : library_->names()) {
    if (name == "raw") continue;
    const RegisterDump dump = register_dump(name);
    EXPECT_THAT(values_of(*library_->find(name), dump.image()), ElementsAreArray(dump.values)) << name;
  }
}

TEST_F(BuiltinProfilesTest, RecogniseTheMeterOfTheirDump) {
  for (const std::string& name : library_->names()) {
    const Profile& profile = *library_->find(name);
    if (!profile.identify) continue;
    const auto decoded = decode(profile, profile.identify->point, register_dump(name).image(), {});
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().detail;
    EXPECT_EQ(decoded->value.text, profile.identify->text) << name;
  }
}

TEST_F(BuiltinProfilesTest, ReadEveryMeterInFewRequests) {
  const std::pair<std::string, std::size_t> fewest[] = {
      {"sdm630", 3},  {"sdm120", 3},  {"iem3155", 5},     {"abb_b23", 6}, {"em340", 3}, {"dtsu666", 6},
      {"umg96rm", 1}, {"pac2200", 3}, {"countis_e24", 2}, {"ecr380d", 3}, {"raw", 0}};
  for (const std::string& name : library_->names()) {
    const Profile& profile = *library_->find(name);
    std::vector<const Point*> points;
    for (const Point& point : profile.points) points.push_back(&point);
    const auto blocks = plan_blocks(profile, points, {});
    for (const Block& block : blocks) EXPECT_LE(block.count, profile.max_registers) << name;
    EXPECT_LE(blocks.size(), profile.family == Family::kModbus ? 14u : 27u) << name;
    if (name == "dlt645_1p") {
      EXPECT_EQ(blocks.size(), 17u);
    }
    for (const auto& [few, requests] : fewest) {
      if (few != name) continue;
      EXPECT_EQ(blocks.size(), requests) << name;
    }
  }
}

/// The indented block of the guide that begins with `first`, without its indent.
std::string block_of_guide(const std::string& first) {
  std::ifstream file(std::string(METERGATE_DUMPS) + "/../../../../../drivers/profile/README.md");
  std::string block;
  for (std::string line; std::getline(file, line);) {
    if (block.empty() && line.find(first) == std::string::npos) continue;
    if (!line.empty() && line.compare(0, 4, "    ") != 0) break;
    block += (line.empty() ? "" : line.substr(4)) + "\n";
  }
  return block;
}

TEST(ProfileGuideTest, ItsExampleIsAProfileAndItsRefusalsAreThoseOfTheProgram) {
  const std::string example = block_of_guide("# Example EM-7");
  const auto profile = parse_profile("em7", "./em7.ini", example, [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(profile) << profile.error().detail;
  EXPECT_EQ(profile->points.size(), 4u);
  std::string text = example;
  const std::pair<std::string, std::string> slips[] = {
      {"i32 scale=1000", "i32 unit=kW"}, {"u32 scale=0.01", "u32 scal=0.01"}, {"holding 1 ", "holdin 1 "}};
  for (const auto& [right, slip] : slips) text.replace(text.find(right), right.size(), slip);
  const auto refused = parse_profile("em7", "./em7.ini", text, [](const std::string&) { return std::nullopt; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(block_of_guide("./em7.ini:12: "), error_lines(refused.error().detail) + "\n");
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
