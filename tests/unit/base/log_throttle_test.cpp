#include "agent/base/log_throttle.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class LogThrottleTest : public testing::Test {
 protected:
  std::int64_t due(const std::string& source, const std::string& state) {
    return throttle_.due(source, state, clock_.mono());
  }
  FakeClock clock_;
  LogThrottle throttle_;
};

TEST_F(LogThrottleTest, LogsAStateWhenItChanges) {
  EXPECT_EQ(due("main", "timeout"), 1);
  EXPECT_EQ(due("main", "timeout"), 0);
  EXPECT_EQ(due("main", "crc"), 1);
  EXPECT_EQ(due("main", "timeout"), 1);
}

TEST_F(LogThrottleTest, LogsAStateThatStaysOnceAnHourWithItsCount) {
  EXPECT_EQ(due("main", "timeout"), 1);
  for (int i = 0; i < 4; ++i) {
    clock_.advance(minutes(14));
    EXPECT_EQ(due("main", "timeout"), 0);
  }
  clock_.advance(minutes(4));
  EXPECT_EQ(due("main", "timeout"), 5);
  EXPECT_EQ(due("main", "timeout"), 0);
}

TEST_F(LogThrottleTest, TakesThePauseThatItIsGiven) {
  LogThrottle throttle{minutes(1)};
  EXPECT_EQ(throttle.due("main", "timeout", clock_.mono()), 1);
  clock_.advance(seconds(59));
  EXPECT_EQ(throttle.due("main", "timeout", clock_.mono()), 0);
  clock_.advance(seconds(1));
  EXPECT_EQ(throttle.due("main", "timeout", clock_.mono()), 2);
}

TEST_F(LogThrottleTest, TellsSourcesApart) {
  EXPECT_EQ(due("main", "timeout"), 1);
  EXPECT_EQ(due("roof", "timeout"), 1);
  EXPECT_EQ(due("main", "timeout"), 0);
}

TEST_F(LogThrottleTest, LogsAnEmptyStateOfANewSource) { EXPECT_EQ(due("main", ""), 1); }

TEST_F(LogThrottleTest, RemembersAThousandSourcesAndForgetsTheOneThatWasLoggedLongestAgo) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(due("source " + std::to_string(i), "timeout"), 1);
    clock_.advance(Millis{1});
  }
  EXPECT_EQ(due("source 0", "timeout"), 0);
  EXPECT_EQ(due("one more", "timeout"), 1);
  EXPECT_EQ(throttle_.sources(), 1000u);
  EXPECT_EQ(due("source 1", "timeout"), 0);
  EXPECT_EQ(due("source 0", "timeout"), 1) << "it was forgotten";
  EXPECT_EQ(throttle_.sources(), 1000u);
}

TEST_F(LogThrottleTest, ComparesTheFirst200BytesOfSourceAndState) {
  const std::string longest(200, 'x');
  EXPECT_EQ(due(longest + "a", longest + "a"), 1);
  EXPECT_EQ(due(longest + "b", longest + "b"), 0);
  EXPECT_EQ(due(longest.substr(1), longest + "a"), 1);
  EXPECT_EQ(due(longest + "a", longest.substr(1)), 1);
}

class ChangeThrottleTest : public testing::Test {
 protected:
  ChangeThrottle throttle_;
  MonoTime now_{};
};

TEST_F(ChangeThrottleTest, LogsChangesAsTheyComeButOfManyOneInTenMinutesWithTheirCount) {
  std::int64_t logged = 0;
  for (int i = 0; i < 6; ++i) logged += throttle_.due(now_ += seconds(1));
  EXPECT_EQ(logged, 6);
  EXPECT_EQ(throttle_.due(now_), 0);
  EXPECT_EQ(throttle_.due(now_ + minutes(9)), 0);
  EXPECT_EQ(throttle_.due(now_ += minutes(10)), 3);
  EXPECT_EQ(throttle_.due(now_), 0);
}

TEST_F(ChangeThrottleTest, LogsThemAsTheyComeAgainAfterAQuietHour) {
  for (int i = 0; i < 100; ++i) throttle_.due(now_);
  now_ += hours(2);
  EXPECT_EQ(throttle_.due(now_), 95);
  EXPECT_EQ(throttle_.due(now_), 1);
}

}  // namespace
}  // namespace metergate
