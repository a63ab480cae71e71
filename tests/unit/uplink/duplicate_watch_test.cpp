#include "agent/uplink/duplicate_watch.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class DuplicateWatchTest : public ::testing::Test {
 protected:
  MonoTime now{1h};
  DuplicateWatch watch;
};

TEST_F(DuplicateWatchTest, AllowsWritesUntilAnotherGatewayIsSeen) {
  EXPECT_TRUE(watch.writes_allowed(now));
  watch.seen("feed", now);
  EXPECT_FALSE(watch.writes_allowed(now));
}

TEST_F(DuplicateWatchTest, AllowsWritesAgainAfterTenMinutesWithoutTheOtherAndNotBefore) {
  watch.seen("feed", now);
  now += 9min;
  watch.seen("feed", now);
  EXPECT_FALSE(watch.writes_allowed(now + 10min - 1ns));
  EXPECT_TRUE(watch.writes_allowed(now + 10min));
}

TEST_F(DuplicateWatchTest, AnswersEachOtherGatewayOnce) {
  EXPECT_TRUE(watch.seen("feed", now));
  EXPECT_FALSE(watch.seen("feed", now + 1h));
}

TEST_F(DuplicateWatchTest, AnswersAtMostOnceInTenSecondsHoweverManyThereAre) {
  EXPECT_TRUE(watch.seen("feed", now));
  EXPECT_FALSE(watch.seen("beef", now + 10s - 1ns));
  EXPECT_TRUE(watch.seen("feed", now + 10s));
}

}  // namespace
}  // namespace metergate
