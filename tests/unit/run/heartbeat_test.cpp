#include "agent/run/heartbeat.h"

#include <gtest/gtest.h>

#include <chrono>

namespace metergate {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kNow{Nanos{1'000'000'000'000}};

TEST(HeartbeatTest, IsFreshBeforeItsThreadStarts) { EXPECT_TRUE(Heartbeat("store").fresh(kNow + 24h)); }

TEST(HeartbeatTest, IsFreshUntilTheTimeThatWasPromisedAndNotAfter) {
  Heartbeat heartbeat("store");
  heartbeat.busy_until(kNow + 10s);
  EXPECT_TRUE(heartbeat.fresh(kNow + 10s));
  EXPECT_FALSE(heartbeat.fresh(kNow + 10s + 1ns));
}

TEST(HeartbeatTest, TakesTheNewestPromiseAlsoWhenItIsTheShorterOne) {
  Heartbeat heartbeat("store");
  heartbeat.busy_until(kNow + 60s);
  heartbeat.busy_until(kNow + 10s);
  EXPECT_FALSE(heartbeat.fresh(kNow + 11s));
}

TEST(HeartbeatTest, StaysFreshAfterARightEndAndIsNeverFreshAfterAFailure) {
  Heartbeat ended("store"), failed("bus rs485-1");
  ended.ended();
  failed.failed();
  EXPECT_TRUE(ended.fresh(MonoTime::max()));
  EXPECT_FALSE(failed.fresh(MonoTime{}));
}

}  // namespace
}  // namespace metergate
