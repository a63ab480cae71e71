#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "drivers/profile/profile_check.h"

namespace metergate {
namespace {

/// "sdm630 1a2b3c4d voltage_l1 voltage_l2 ...": a profile as a release had it, with the digest over these points.
std::string line_of(Profile profile, const std::vector<std::string>& names) {
  std::string line;
  std::vector<Point> points;
  for (const std::string& name : names) {
    const Point* point = profile.find(name);
    if (point == nullptr) continue;
    points.push_back(*point);
    line += " " + name;
  }
  profile.points = points;
  return profile.name + " " + digest_of(profile) + line;
}

std::set<std::string> released_lines() {
  std::set<std::string> lines;
  std::ifstream file(RELEASED_PROFILES);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') lines.insert(line);
  }
  return lines;
}

/// For a release: METERGATE_RELEASE=VERSION appends what is new in it.
void append_new(const ProfileLibrary& library, const std::string& release) {
  const auto known = released_lines();
  std::ofstream file(RELEASED_PROFILES, std::ios::app);
  file << "# " << release << "\n";
  for (const std::string& name : library.names()) {
    const std::string line = line_of(*library.find(name), library.find(name)->point_names());
    if (known.count(line) == 0) file << line << "\n";
  }
}

TEST(ReleasedProfilesTest, HaveAddressScaleUnitAndMeaningOfEachPointAsTheyWereReleased) {
  const auto library = ProfileLibrary::load({});
  ASSERT_TRUE(library) << library.error().detail;
  if (const char* release = std::getenv("METERGATE_RELEASE")) append_new(*library, release);
  const auto lines = released_lines();
  EXPECT_FALSE(lines.empty());
  for (const std::string& line : lines) {
    std::istringstream words(line);
    std::string name, digest;
    words >> name >> digest;
    const std::vector<std::string> points{std::istream_iterator<std::string>(words), {}};
    const Profile* profile = library->find(name);
    ASSERT_NE(profile, nullptr) << name << " was released, and is gone";
    EXPECT_EQ(line_of(*profile, points), line)
        << "a released point changed; a meter that needs other points gets a profile of another name";
  }
}

}  // namespace
}  // namespace metergate
