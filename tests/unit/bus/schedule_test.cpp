#include "agent/bus/schedule.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class ScheduleTest : public ::testing::Test {
 protected:
  void make(std::vector<Schedule::Poll> polls) {
    schedule_ = std::make_unique<Schedule>(std::move(polls));
    tick(Millis{0});
  }
  bool tick(Millis d) {
    clock_.advance(d);
    return schedule_->advance(clock_.mono(), clock_.utc(), [this](std::size_t m) { return m == excused_; });
  }
  std::vector<Schedule::Due> take(std::size_t meter) { return schedule_->take(meter, clock_.mono(), clock_.utc()); }
  std::optional<std::size_t> pick() {
    return schedule_->pick(false, [](std::size_t) { return true; });
  }
  void serve_all() {
    while (const auto meter = pick()) take(*meter);
  }

  FakeClock clock_;
  std::size_t excused_ = 999;
  std::unique_ptr<Schedule> schedule_;
};

TEST_F(ScheduleTest, ReadsEveryMeterOnceAtStartWithoutASlot) {
  make({{0, minutes(15)}, {1, seconds(10)}});
  ASSERT_EQ(pick(), 0u);
  const auto due = take(0);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_FALSE(due[0].slot);
  EXPECT_EQ(pick(), 1u);
}

TEST_F(ScheduleTest, IsDueAtMultiplesOfTheIntervalInUnixTime) {
  clock_.advance(seconds(7));
  make({{0, seconds(10)}});
  serve_all();
  tick(Millis{2999});
  EXPECT_FALSE(pick());
  tick(Millis{1});
  const auto due = take(*pick());
  ASSERT_TRUE(due[0].slot);
  EXPECT_EQ(due[0].slot->time_since_epoch() % seconds(10), Millis{0});
  EXPECT_EQ(*due[0].slot, clock_.utc());
}

TEST_F(ScheduleTest, GivesThePollsOfAMeterThatAreDueTogetherTogether) {
  make({{0, seconds(10)}, {0, minutes(1)}});
  serve_all();
  for (int i = 0; i < 6; ++i) tick(seconds(10));
  EXPECT_EQ(take(0).size(), 2u);
}

TEST_F(ScheduleTest, TakesMetersDueTogetherInTheOrderOfTheFlags) {
  std::vector<std::size_t> order;
  make({{0, seconds(10)}, {1, minutes(1)}, {2, seconds(10)}});
  while (const auto meter = pick()) {
    order.push_back(*meter);
    take(*meter);
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2}));
}

TEST_F(ScheduleTest, CountsSlotsThatFindTheirPollStillWaiting) {
  make({{0, seconds(10)}});
  serve_all();
  for (int i = 0; i < 4; ++i) tick(seconds(10));
  const auto missed = schedule_->take_missed();
  ASSERT_EQ(missed.size(), 1u);
  EXPECT_EQ(missed[0].count, 3);
  EXPECT_EQ(missed[0].to - missed[0].from, seconds(20));
  EXPECT_TRUE(schedule_->behind());
  EXPECT_TRUE(schedule_->take_missed().empty());
}

TEST_F(ScheduleTest, MissesNothingForAMeterThatCannotBeAsked) {
  make({{0, seconds(10)}});
  serve_all();
  excused_ = 0;
  for (int i = 0; i < 4; ++i) tick(seconds(10));
  EXPECT_TRUE(schedule_->take_missed().empty());
}

TEST_F(ScheduleTest, CountsSlotsThatAreMissedInAPauseForNoOverload) {
  make({{0, seconds(10)}});
  serve_all();
  for (int i = 0; i < 4; ++i) {
    clock_.advance(seconds(10));
    schedule_->advance(
        clock_.mono(), clock_.utc(), [](std::size_t) { return false; }, Schedule::Why::kPause);
  }
  const auto missed = schedule_->take_missed();
  ASSERT_EQ(missed.size(), 1u);
  EXPECT_EQ(missed[0].count, 3);
  EXPECT_EQ(missed[0].why, Schedule::Why::kPause);
  EXPECT_FALSE(schedule_->behind());
  EXPECT_EQ(schedule_->wanted(), 0);
  EXPECT_EQ(schedule_->kept(), 0);
}

TEST_F(ScheduleTest, IsBehindForTwoIntervalsOfAPollThatIsRarerThanEachHalfMinute) {
  make({{0, minutes(10)}});
  serve_all();
  tick(minutes(10));
  tick(minutes(10));
  serve_all();
  excused_ = 0;
  tick(minutes(20) - Millis{1});
  EXPECT_TRUE(schedule_->behind());
  tick(Millis{1});
  EXPECT_FALSE(schedule_->behind());
}

TEST_F(ScheduleTest, IsBehindForAMinuteAfterAMissedSlot) {
  make({{0, seconds(10)}});
  serve_all();
  tick(seconds(10));
  tick(seconds(10));
  EXPECT_TRUE(schedule_->behind());
  serve_all();
  excused_ = 0;
  tick(Millis{59'999});
  EXPECT_TRUE(schedule_->behind());
  tick(Millis{1});
  EXPECT_FALSE(schedule_->behind());
}

TEST_F(ScheduleTest, TakesUpToASecondOfTheWallClockForSlewing) {
  make({{0, minutes(15)}});
  clock_.step_utc(clock_.utc() + Millis{1000});
  EXPECT_FALSE(tick(Millis{0}));
  clock_.step_utc(clock_.utc() + Millis{1001});
  EXPECT_TRUE(tick(Millis{0}));
}

TEST_F(ScheduleTest, LetsTheLongestIntervalGoFirstWhileSlotsAreMissed) {
  make({{0, seconds(1)}, {1, minutes(1)}});
  serve_all();
  for (int i = 0; i < 60; ++i) tick(seconds(1));
  EXPECT_EQ(pick(), 1u);
}

TEST_F(ScheduleTest, ThinsEqualIntervalsEvenlyWhileSlotsAreMissed) {
  make({{0, seconds(1)}, {1, seconds(1)}, {2, seconds(1)}});
  serve_all();
  std::map<std::size_t, int> served;
  for (int i = 0; i < 90; ++i) {
    tick(seconds(1));
    const auto meter = pick();
    ASSERT_TRUE(meter);
    take(*meter);
    ++served[*meter];
  }
  for (std::size_t m = 0; m < 3; ++m) EXPECT_NEAR(served[m], 30, 2);
}

TEST_F(ScheduleTest, MovesToTheNewClockAfterAStepWithoutABurst) {
  make({{0, minutes(15)}});
  serve_all();
  clock_.step_utc(clock_.utc() + hours(5) + minutes(7));
  EXPECT_TRUE(tick(Millis{0}));
  EXPECT_FALSE(pick());
  EXPECT_TRUE(schedule_->take_missed().empty());
  tick(minutes(8));
  EXPECT_EQ(pick(), 0u);
}

TEST_F(ScheduleTest, PollsAtTheNewClocksNextSlotAfterAStepBack) {
  make({{0, minutes(15)}});
  serve_all();
  clock_.step_utc(UtcTime{hours(1)});
  tick(Millis{0});
  tick(minutes(15));
  EXPECT_EQ(pick(), 0u);
}

TEST_F(ScheduleTest, TellsNoSlotThatIsLongOver) {
  make({{0, seconds(10)}});
  serve_all();
  excused_ = 0;
  tick(seconds(10));
  clock_.advance(minutes(5));
  const auto due = take(0);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_FALSE(due[0].slot);
}

TEST_F(ScheduleTest, OffersBackToBackPollsInTurn) {
  make({{0, Millis{0}}, {1, Millis{0}}});
  std::vector<std::size_t> order;
  for (int i = 0; i < 4; ++i) {
    tick(Millis{10});
    const auto meter = schedule_->pick(true, [](std::size_t) { return true; });
    order.push_back(*meter);
    for (const auto& due : take(*meter)) schedule_->done(due.poll);
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 0, 1}));
}

TEST(RetryWindow, IsAQuarterOfTheIntervalButAtMostAMinute) {
  EXPECT_EQ(retry_window(seconds(10)), Millis{2500});
  EXPECT_EQ(retry_window(minutes(15)), Millis{60'000});
  EXPECT_EQ(retry_window(Millis{0}), Millis{0});
}

}  // namespace
}  // namespace metergate
