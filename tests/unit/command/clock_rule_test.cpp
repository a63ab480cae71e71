#include "agent/command/clock_rule.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

class ClockRuleTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  const UtcTime now_ = clock_.utc();
  ClockRule rule_;
};

TEST_F(ClockRuleTest, LetsACommandExpireAtTheVeryInstantThatItNames) {
  EXPECT_FALSE(rule_.expired(now_ + Millis{1}, clock_));
  EXPECT_TRUE(rule_.expired(now_, clock_));
  EXPECT_FALSE(rule_.expired(std::nullopt, clock_));
}

TEST_F(ClockRuleTest, KnowsAClockBeforeTheBuildForWrongWhateverTheKernelSays) {
  rule_.built = now_ + Millis{1};
  EXPECT_TRUE(rule_.known_wrong(clock_));
  EXPECT_FALSE(rule_.trusted(clock_));
  EXPECT_FALSE(rule_.expired(now_ - Millis{1}, clock_));
  rule_.built = now_;
  EXPECT_FALSE(rule_.known_wrong(clock_));
}

TEST_F(ClockRuleTest, KnowsAClockBeforeTheNewestStoredTimeForWrongUnlessItIsSynced) {
  rule_.newest = now_ + Millis{1};
  EXPECT_FALSE(rule_.known_wrong(clock_));
  clock_.set_synced(false);
  EXPECT_TRUE(rule_.known_wrong(clock_));
  rule_.newest = now_;
  EXPECT_FALSE(rule_.known_wrong(clock_));
}

TEST_F(ClockRuleTest, TrustsOnlyASyncedClock) {
  EXPECT_TRUE(rule_.trusted(clock_));
  clock_.set_synced(false);
  EXPECT_FALSE(rule_.trusted(clock_));
}

}  // namespace
}  // namespace metergate
