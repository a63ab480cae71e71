#include "agent/admin/status.h"

#include <gtest/gtest.h>

#include <set>

#include "agent/base/json.h"

namespace metergate {
namespace {

constexpr std::size_t kPage = 60'000;

Snapshot large_gateway(int buses, int meters_each) {
  Snapshot s;
  s.gateway = "gw";
  for (int b = 0; b < buses; ++b) {
    BusState bus;
    bus.name = "bus-" + std::to_string(b);
    for (int m = 0; m < meters_each; ++m) {
      MeterState meter;
      meter.id = bus.name + "-" + std::to_string(m);
      meter.serial = "0123456789";
      bus.meters.push_back(meter);
    }
    s.buses.push_back(bus);
  }
  return s;
}

/// The ids of all meters on all pages; checks each page by itself.
std::multiset<std::string> meters_of(const std::vector<std::string>& pages, std::set<std::string>* buses) {
  std::multiset<std::string> meters;
  for (const std::string& page : pages) {
    EXPECT_LE(page.size(), kPage);
    const auto json = parse_json("{" + page + "}");
    EXPECT_TRUE(json);
    EXPECT_EQ(json->find("gateway")->text, "gw");
    EXPECT_NE(json->find("store"), nullptr);
    for (const Json& bus : json->find("buses")->items) {
      buses->insert(bus.find("name")->text);
      for (const Json& meter : bus.find("meters")->items) meters.insert(meter.find("id")->text);
    }
  }
  return meters;
}

TEST(StatusPages, HoldEachMeterOnceAndEachBusHoweverManyThereAre) {
  for (const auto& [buses, each] : {std::pair(1, 1000), std::pair(256, 4), std::pair(256, 0), std::pair(1, 0)}) {
    std::set<std::string> names;
    const auto pages = snapshot_pages(large_gateway(buses, each), kPage);
    EXPECT_GE(pages.size(), buses * each + buses > 100 ? 2u : 1u);
    const auto meters = meters_of(pages, &names);
    EXPECT_EQ(meters.size(), static_cast<std::size_t>(buses * each));
    EXPECT_EQ(std::set<std::string>(meters.begin(), meters.end()).size(), meters.size());
    EXPECT_EQ(names.size(), static_cast<std::size_t>(buses));
  }
}

TEST(StatusPages, AreOneForASmallGatewayThatHoldsWhatTheWholeDoes) {
  const Snapshot small = large_gateway(2, 3);
  const auto pages = snapshot_pages(small, kPage);
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0], snapshot_json(small));
}

TEST(StatusPages, StaySmallThoughMetersRefuseThousandsOfPoints) {
  Snapshot s = large_gateway(1, 20);
  for (MeterState& meter : s.buses[0].meters) {
    for (int i = 0; i < 700; ++i) meter.unsupported.emplace_back("a_point_with_a_name_" + std::to_string(i), 2);
  }
  std::set<std::string> names;
  EXPECT_EQ(meters_of(snapshot_pages(s, kPage), &names).size(), 20u);
}

}  // namespace
}  // namespace metergate
