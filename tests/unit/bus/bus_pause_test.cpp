#include "agent/bus/bus_pause.h"

#include <gtest/gtest.h>

#include "agent/protocol/command_text.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class BusPauseTest : public ::testing::Test {
 protected:
  BusPauseTest() : log_(LogLevel::kError, LogFormat::kText, clock_) { start(); }
  /// Again: only the key-value store is left of the process before.
  void start() {
    BusPause::Parts parts;
    parts.bus = "rs485-1";
    parts.key_values = &store_;
    parts.clock = &clock_;
    parts.log = &log_;
    parts.wished = [this] { ++wished_; };
    parts.granted = [this] { ++granted_; };
    pause_ = std::make_unique<BusPause>(std::move(parts));
  }
  bool paused_at(Nanos time) const { return pause_->wish(clock_.mono() + time).paused; }

  FakeClock clock_;
  Log log_;
  FakeKeyValueStore store_;
  int wished_ = 0, granted_ = 0;
  std::unique_ptr<BusPause> pause_;
};

TEST_F(BusPauseTest, LastsUntilItsEndAndNoLonger) {
  EXPECT_EQ(pause_->begin(minutes(30)), clock_.utc() + minutes(30));
  EXPECT_TRUE(paused_at(minutes(30) - Millis{1}));
  EXPECT_FALSE(paused_at(minutes(30)));
  EXPECT_EQ(wished_, 1);
}

TEST_F(BusPauseTest, LastsOneSecondAtLeastAndEightHoursAtMost) {
  EXPECT_EQ(pause_->begin(Millis{1}), clock_.utc() + seconds(1));
  EXPECT_EQ(pause_->begin(hours(9)), clock_.utc() + hours(8));
}

TEST_F(BusPauseTest, GetsANewEndWhileItRuns) {
  pause_->begin(minutes(30));
  pause_->begin(minutes(1));
  EXPECT_FALSE(paused_at(minutes(1)));
}

TEST_F(BusPauseTest, EndsWhenAskedAndTellsWhetherThereWasOne) {
  EXPECT_FALSE(pause_->end());
  pause_->begin(minutes(30));
  EXPECT_TRUE(pause_->end());
  EXPECT_FALSE(paused_at(Millis{0}));
  EXPECT_FALSE(pause_->end());
}

TEST_F(BusPauseTest, IsGrantedOnceTheBusHasDoneWhatWasWishedLast) {
  pause_->begin(minutes(30));
  EXPECT_FALSE(pause_->granted());
  EXPECT_FALSE(pause_->lent());
  pause_->grant(pause_->wish(clock_.mono()).number);
  EXPECT_TRUE(pause_->granted());
  EXPECT_EQ(pause_->lent(), clock_.utc() + minutes(30));
  EXPECT_EQ(granted_, 1);
  pause_->begin(minutes(10));
  EXPECT_FALSE(pause_->granted());
}

TEST_F(BusPauseTest, GoesOnAfterARestartForTheRestOfItsTime) {
  pause_->begin(minutes(10));
  clock_.advance(minutes(4));
  start();
  EXPECT_TRUE(paused_at(minutes(6) - Millis{1}));
  EXPECT_FALSE(paused_at(minutes(6)));
}

TEST_F(BusPauseTest, IsNotFoundAfterARestartWhenItEnded) {
  pause_->begin(minutes(10));
  pause_->end();
  start();
  EXPECT_FALSE(paused_at(Millis{0}));
  pause_->begin(minutes(10));
  pause_->forget(pause_->wish(clock_.mono()).number);
  start();
  EXPECT_FALSE(paused_at(Millis{0}));
}

TEST_F(BusPauseTest, IsFoundAfterARestartThoughTheBusWasJustDoneWithTheOneBefore) {
  pause_->begin(minutes(10));
  const std::int64_t over = pause_->wish(clock_.mono()).number;
  pause_->begin(minutes(10));
  pause_->forget(over);
  start();
  EXPECT_TRUE(paused_at(Millis{0}));
}

TEST_F(BusPauseTest, LastsNoLongerThanWasAskedWhenTheClockWasSetBack) {
  pause_->begin(minutes(10));
  clock_.step_utc(clock_.utc() - hours(100));
  start();
  EXPECT_TRUE(paused_at(minutes(9)));
  EXPECT_FALSE(paused_at(minutes(10)));
}

TEST_F(BusPauseTest, IsNoPauseWhereTheStoredTextIsNone) {
  for (const char* text : {"7", "x y", "20 10", "1 2 3", "-1 5"}) {
    store_.values["pause.rs485-1"] = text;
    start();
    EXPECT_FALSE(paused_at(Millis{0})) << text;
  }
}

TEST_F(BusPauseTest, PausesAlsoWhenTheStoreCannotKeepIt) {
  store_.error = Error{Errc::kStorage, "disk", 0};
  pause_->begin(minutes(10));
  EXPECT_TRUE(paused_at(minutes(9)));
}

}  // namespace
}  // namespace metergate
