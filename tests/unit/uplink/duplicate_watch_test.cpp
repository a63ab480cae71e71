#include "agent/uplink/duplicate_watch.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;

class DuplicateWatchTest : public ::testing::Test {
 protected:
  MonoTime now{1h};
  FakeKeyValueStore memory;
  DuplicateWatch watch{memory};
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

TEST_F(DuplicateWatchTest, KeepsTheBanOverARestart) {
  watch.seen("feed", now);
  now += 4min;
  watch.step(now);
  DuplicateWatch next_run(memory);
  const MonoTime start{5s};  // of another clock
  ASSERT_TRUE(next_run.restore(start));
  EXPECT_FALSE(next_run.writes_allowed(start + 6min - 1ms));
  EXPECT_TRUE(next_run.writes_allowed(start + 6min));
}

TEST_F(DuplicateWatchTest, KeepsTheWholeBanOverARestartAtOnce) {
  watch.seen("feed", now);
  now += 30s;
  watch.seen("feed", now);
  DuplicateWatch next_run(memory);
  ASSERT_TRUE(next_run.restore(now));
  EXPECT_FALSE(next_run.writes_allowed(now + 10min - 1ms));
}

TEST_F(DuplicateWatchTest, WritesOnceAMinuteWhileTheBanLastsAndThenNoMore) {
  watch.seen("feed", now);
  int writes = 0;
  while (watch.next() != MonoTime::max()) {
    now = watch.next();
    watch.step(now);
    ++writes;
  }
  EXPECT_EQ(writes, 10);
  DuplicateWatch next_run(memory);
  ASSERT_TRUE(next_run.restore(now));
  EXPECT_TRUE(next_run.writes_allowed(now));
}

TEST_F(DuplicateWatchTest, AllowsWritesInANewStore) {
  ASSERT_TRUE(watch.restore(now));
  EXPECT_TRUE(watch.writes_allowed(now));
  EXPECT_EQ(watch.next(), MonoTime::max());
}

}  // namespace
}  // namespace metergate
