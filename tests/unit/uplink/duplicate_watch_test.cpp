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

TEST_F(DuplicateWatchTest, AllowsWritesWhileNobodyElseIsHeard) { EXPECT_TRUE(watch.writes_allowed(now)); }

TEST_F(DuplicateWatchTest, ForbidsWritesFor10MinutesAfterTheOtherWasHeardLast) {
  watch.seen("a", now);
  now += 5min;
  watch.seen("a", now);
  EXPECT_FALSE(watch.writes_allowed(now + 10min - 1ns));
  EXPECT_TRUE(watch.writes_allowed(now + 10min));
}

TEST_F(DuplicateWatchTest, AnswersAnotherOnce) {
  EXPECT_TRUE(watch.seen("a", now));
  EXPECT_FALSE(watch.seen("a", now + 1h));
}

TEST_F(DuplicateWatchTest, AnswersSeveralOthersOnceIn10Seconds) {
  EXPECT_TRUE(watch.seen("a", now));
  EXPECT_FALSE(watch.seen("b", now + 10s - 1ns));
  EXPECT_TRUE(watch.seen("c", now + 10s));
  EXPECT_FALSE(watch.seen("d", now + 11s));
}

}  // namespace
}  // namespace metergate
