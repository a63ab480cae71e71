#include "agent/protocol/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "agent/base/json.h"

namespace metergate {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::size_t k64KiB = 65'536;
const std::string kHead = R"("version":"1.0","catalog":"00c0ffee",)";

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all;
}
std::string profile(const std::string& name, int points) {
  std::vector<std::string> all;
  for (int i = 0; i < points; ++i) all.push_back("\"p" + std::to_string(i) + R"(":{"unit":"k,W{h","kind":"counter"})");
  return "\"" + name + R"(":{"digest":"d","points":{)" + joined(all) + "}}";
}
std::string meter(int number, int points = 3, int polls = 1) {
  std::vector<std::string> names(static_cast<std::size_t>(points), "\"active_energy_import_with_a_name_that_is_long\"");
  std::vector<std::string> all(static_cast<std::size_t>(polls),
                               R"({"name":"x","every":"15m","points":[)" + joined(names) + "]}");
  return R"({"id":"m)" + std::to_string(number) + R"(","label":"a \"}] b","unit":1,"polls":[)" + joined(all) + "]}";
}
std::vector<std::string> payloads(const std::vector<std::string>& profiles, const std::vector<std::string>& meters) {
  const std::string members = kHead + R"("profiles":{)" + joined(profiles) + R"(},"meters":[)" + joined(meters) + "]";
  return catalog_payloads("g1", "e0e0e0e0e0e0", UtcTime{}, members);
}

/// What all parts together hold: points by profile, polls by meter.
struct Held {
  std::map<std::string, std::set<std::string>> points;
  std::map<std::string, std::size_t> polls;
};
Held check_parts(const std::vector<std::string>& parts) {
  Held held;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_LE(parts[i].size(), k64KiB);
    const auto json = parse_json(parts[i]);
    if (!json) {
      ADD_FAILURE() << "part " << i + 1 << " is no JSON: " << json.error().detail;
      continue;
    }
    EXPECT_EQ(json->find("part")->text, std::to_string(i + 1));
    EXPECT_EQ(json->find("parts")->text, std::to_string(parts.size()));
    EXPECT_EQ(json->find("catalog")->text, "00c0ffee");
    EXPECT_EQ(json->find("gateway")->text, "g1");
    const Json& profiles = *json->find("profiles");
    for (std::size_t j = 0; j < profiles.items.size(); ++j) {
      EXPECT_EQ(profiles.items[j].find("digest")->text, "d");
      for (const std::string& name : profiles.items[j].find("points")->names) {
        EXPECT_TRUE(held.points[profiles.names[j]].insert(name).second) << name << " stands twice";
      }
    }
    for (const Json& one : json->find("meters")->items)
      held.polls[one.find("id")->text] += one.find("polls")->items.size();
  }
  return held;
}

TEST(CatalogTest, IsOneMessageWithoutPartsWhereItFits) {
  const auto one = payloads({profile("p", 3)}, {meter(1)});
  ASSERT_THAT(one, SizeIs(1));
  EXPECT_TRUE(parse_json(one[0]));
  EXPECT_THAT(one[0], ::testing::Not(HasSubstr("part")));
}

TEST(CatalogTest, IsSplitByMetersEachInOnePart) {
  std::vector<std::string> meters;
  for (int i = 0; i < 1000; ++i) meters.push_back(meter(i));
  const auto parts = payloads({profile("p", 30)}, meters);
  EXPECT_GT(parts.size(), 3u);
  EXPECT_LE(parts.size(), 6u);
  const Held held = check_parts(parts);
  EXPECT_THAT(held.polls, SizeIs(1000));
  EXPECT_EQ(held.points.at("p").size(), 30u);
}

TEST(CatalogTest, IsSplitByPointsOfAProfileThatIsTooLarge) {
  const auto parts = payloads({profile("a", 10), profile("b", 4000), profile("c", 10)}, {meter(1)});
  const Held held = check_parts(parts);
  EXPECT_EQ(held.points.at("a").size(), 10u);
  EXPECT_EQ(held.points.at("b").size(), 4000u);
  EXPECT_EQ(held.points.at("c").size(), 10u);
  EXPECT_THAT(held.polls, SizeIs(1));
}

TEST(CatalogTest, IsSplitByPollsOfAMeterThatIsTooLarge) {
  const Held held = check_parts(payloads({profile("a", 10)}, {meter(1), meter(2, 500, 8)}));
  EXPECT_EQ(held.polls.at("m1"), 1u);
  EXPECT_EQ(held.polls.at("m2"), 8u);
}

TEST(CatalogTest, FillsAMessageUpTo64KiBAndNoFurther) {
  for (int points = 1480; points < 1560; ++points) {
    const auto parts = payloads({profile("a", points)}, {meter(1)});
    if (parts.size() == 1) {
      EXPECT_LE(parts[0].size(), k64KiB);
    } else {
      EXPECT_EQ(check_parts(parts).points.at("a").size(), static_cast<std::size_t>(points));
    }
  }
}

TEST(CatalogPagesTest, AreSplitLikeTheMessagesAndKeepToTheirSize) {
  std::vector<std::string> meters;
  for (int i = 0; i < 300; ++i) meters.push_back(meter(i));
  const std::string members = kHead + R"("profiles":{)" + profile("a", 100) + R"(},"meters":[)" + joined(meters) + "]";
  const auto pages = catalog_pages(members, 20'000);
  EXPECT_GE(pages.size(), 3u);
  std::set<std::string> found;
  for (const std::string& page : pages) {
    EXPECT_LE(page.size(), 20'000u);
    const auto json = parse_json(page);
    ASSERT_TRUE(json);
    EXPECT_EQ(json->find("catalog")->text, "00c0ffee");
    for (const Json& m : json->find("meters")->items) found.insert(m.find("id")->text);
  }
  EXPECT_THAT(found, SizeIs(300));
  EXPECT_EQ(catalog_pages(members, 1'000'000), (std::vector<std::string>{"{" + members + "}"}));
}

}  // namespace
}  // namespace metergate
