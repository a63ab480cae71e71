#include "agent/bus/measured_cost.h"

#include <gtest/gtest.h>

#include "tests/fakes/one_bus.h"

namespace metergate {
namespace {

/// A meter on a line of 9600 8N1. A hole of 88 registers is worth reading over from a turnaround of some 165 ms on.
class MeasuredCostTest : public ::testing::Test {
 protected:
  MeasuredCostTest() {
    SerialSettings line;
    line.baud = 9600;
    line.parity = 'N';
    BusSettings& bus = site_.bus.spec.settings;
    bus.port = line;
    site_.meter("m1", 1);
    site_.bus.meters[0].cost = plan_cost(bus, Target{}, assumed_turnaround(bus));
    assumed_ = std::chrono::duration_cast<Millis>(assumed_turnaround(bus));
    cost_.emplace(site_.bus, 0);
    first_ = cost_->cost().request_registers;
  }
  double after(Millis turnaround) {
    cost_->take(Turnaround{turnaround, turnaround, Millis{1000}});
    return cost_->cost().request_registers;
  }

  OneBus site_;
  Millis assumed_{0};
  std::optional<MeasuredCost> cost_;
  double first_ = 0;
};

TEST_F(MeasuredCostTest, IsTheAssumedOneUntilSomethingWasMeasured) {
  cost_->take(std::nullopt);
  EXPECT_EQ(cost_->cost().request_registers, first_);
}

TEST_F(MeasuredCostTest, IsTheMeasuredOneWhenItDiffersByHalfAndFiveMilliseconds) {
  const Millis half = std::max(assumed_ / 2, MeasuredCost::kStep);
  EXPECT_EQ(after(assumed_ + half - Millis{1}), first_);
  EXPECT_GT(after(assumed_ + half), first_);
}

TEST_F(MeasuredCostTest, DoesNotMindJitterOfLessThanFiveMilliseconds) {
  const double quick = after(Millis{2});
  EXPECT_LT(quick, first_);
  EXPECT_EQ(after(Millis{6}), quick);
  EXPECT_GT(after(Millis{7}), quick);
}

TEST_F(MeasuredCostTest, MakesAHoleWorthReadingOverOnceTheMeterProvesSlow) {
  EXPECT_GT(after(Millis{170}), 88);
  EXPECT_GT(after(Millis{100}), 88);  // by less than a half
  EXPECT_LT(after(Millis{5}), first_);
}

}  // namespace
}  // namespace metergate
