#include "agent/bus/meter_plan.h"

#include <gtest/gtest.h>

#include "tests/fakes/one_bus.h"

namespace metergate {
namespace {

/// A meter on a line of 9600 with values 88 registers apart.
class MeterPlanTest : public ::testing::Test {
 protected:
  MeterPlanTest() : site_("", "1000") {
    SerialSettings line;
    line.baud = 9600;
    site_.bus.spec.settings.port = line;
    site_.meter("m1", 1);
    site_.bus.meters[0].cost = plan_cost(site_.bus.spec.settings, Target{}, Millis{20});
    plan_.emplace(site_.bus, 0, unsupported_);
  }
  std::size_t blocks(const std::vector<const char*>& names) {
    std::vector<const Point*> points;
    for (const char* name : names) points.push_back(site_.profile().find(name));
    return plan_->blocks(points).size();
  }

  OneBus site_;
  UnsupportedPoints unsupported_{site_.profile()};
  std::optional<MeterPlan> plan_;
};

TEST_F(MeterPlanTest, IsOneForEachSetOfPoints) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(blocks({"power"}), 1u);
    EXPECT_EQ(blocks({"power", "energy"}), 2u);
    EXPECT_EQ(blocks({"power", "energy", "limit"}), 3u);
  }
}

TEST_F(MeterPlanTest, IsAnotherOnceTheMeterProvesSlow) {
  EXPECT_EQ(blocks({"power", "energy"}), 2u);
  plan_->measured(Turnaround{Millis{250}, Millis{300}, Millis{600}});
  EXPECT_EQ(blocks({"power", "energy"}), 1u);
}

TEST_F(MeterPlanTest, IsAnotherOnceTheMeterIsKnownNotToSupportAPlace) {
  plan_->measured(Turnaround{Millis{250}, Millis{300}, Millis{600}});
  EXPECT_EQ(blocks({"power", "energy"}), 1u);
  for (int i = 0; i < 3; ++i) {
    unsupported_.refused({Table::kHolding, 50, 0}, 2, MonoTime{} + std::chrono::minutes(i));
  }
  EXPECT_EQ(blocks({"power", "energy"}), 2u);
  unsupported_.forget();
  EXPECT_EQ(blocks({"power", "energy"}), 1u);
}

}  // namespace
}  // namespace metergate
