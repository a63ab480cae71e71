#include "agent/bus/meter_health.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class MeterHealthTest : public ::testing::Test {
 protected:
  /// A poll of a second without a frame, which ends after `time`.
  bool fail_after(Millis time) {
    now_ += time;
    return health_.on_failed_poll(now_ - seconds(1), now_);
  }
  void silence() {
    for (int i = 0; i < 3; ++i) fail_after(seconds(10));
    ASSERT_TRUE(health_.silent());
  }

  MonoTime now_{std::chrono::hours(1)};
  MeterHealth health_;
};

TEST_F(MeterHealthTest, IsSilentAfterThreePollsInARowAndNotAfterTwo) {
  EXPECT_FALSE(fail_after(seconds(10)));
  EXPECT_FALSE(fail_after(seconds(30)));
  EXPECT_FALSE(health_.silent());
  EXPECT_TRUE(fail_after(seconds(10)));
  EXPECT_TRUE(health_.silent());
}

TEST_F(MeterHealthTest, IsSilentOnlyTenSecondsAfterTheFirstOfThemBegan) {
  fail_after(seconds(1));
  fail_after(Millis{4500});
  EXPECT_FALSE(fail_after(Millis{4499}));
  EXPECT_TRUE(fail_after(Millis{1}));
}

TEST_F(MeterHealthTest, BeginsToCountAgainAfterAFrame) {
  fail_after(seconds(10));
  fail_after(seconds(10));
  EXPECT_FALSE(health_.on_frame());
  fail_after(seconds(10));
  fail_after(seconds(10));
  EXPECT_FALSE(health_.silent());
}

TEST_F(MeterHealthTest, IsDoubtfulFromTheFirstFailedPollUntilAFrame) {
  EXPECT_FALSE(health_.doubtful());
  fail_after(seconds(1));
  EXPECT_TRUE(health_.doubtful());
  health_.on_frame();
  EXPECT_FALSE(health_.doubtful());
}

TEST_F(MeterHealthTest, AsksASilentMeterAtPausesThatDoubleFromTenSecondsToFiveMinutes) {
  silence();
  for (const Millis pause :
       {seconds(10), seconds(20), seconds(40), seconds(80), seconds(160), seconds(300), seconds(300)}) {
    EXPECT_EQ(health_.next_probe() - now_, pause);
    now_ = health_.next_probe();
    health_.on_failed_poll(now_, now_);
  }
}

TEST_F(MeterHealthTest, EndsItsSilenceWithAnyFrame) {
  silence();
  EXPECT_TRUE(health_.on_frame());
  EXPECT_FALSE(health_.silent());
  EXPECT_FALSE(health_.on_frame());
}

TEST_F(MeterHealthTest, LetsACommandToASilentMeterGoEveryTwoSeconds) {
  silence();
  EXPECT_TRUE(health_.command_allowed(now_));
  health_.on_unanswered_command(now_, now_ + seconds(1));
  EXPECT_FALSE(health_.command_allowed(now_ + Millis{1999}));
  EXPECT_TRUE(health_.command_allowed(now_ + Millis{2000}));
  EXPECT_EQ(health_.command_at(), now_ + seconds(2));
}

TEST_F(MeterHealthTest, LetsItWaitAsLongAsTheLastOneTook) {
  silence();
  health_.on_unanswered_command(now_, now_ + seconds(3));
  EXPECT_EQ(health_.command_at(), now_ + seconds(6));
}

TEST_F(MeterHealthTest, LetsACommandWaitBehindAProbeAndAProbeBehindACommand) {
  silence();
  health_.on_unanswered(now_, now_ + seconds(3));
  EXPECT_EQ(health_.command_at(), now_ + seconds(6));
  now_ = health_.next_probe() - seconds(1);
  health_.on_unanswered_command(now_, now_ + seconds(1));
  EXPECT_EQ(health_.next_probe(), now_ + seconds(2));
}

TEST_F(MeterHealthTest, KnowsThatItsLastCommandWasLeftUnansweredUntilAFrame) {
  EXPECT_FALSE(health_.left_command_unanswered());
  health_.on_unanswered_command(now_, now_ + seconds(1));
  EXPECT_TRUE(health_.left_command_unanswered());
  health_.on_frame();
  EXPECT_FALSE(health_.left_command_unanswered());
}

TEST_F(MeterHealthTest, PacesNoCommandToAMeterThatAnswers) {
  fail_after(seconds(10));
  health_.on_unanswered_command(now_, now_ + seconds(1));
  EXPECT_TRUE(health_.command_allowed(now_));
}

TEST_F(MeterHealthTest, AsksAtOnceAndWithShortPausesWhenThePortWasOpenedAnew) {
  silence();
  for (int i = 0; i < 6; ++i) fail_after(minutes(5));
  health_.ask_now(now_);
  EXPECT_EQ(health_.next_probe(), now_);
  health_.on_failed_poll(now_, now_);
  EXPECT_EQ(health_.next_probe() - now_, seconds(20));
}

}  // namespace
}  // namespace metergate
