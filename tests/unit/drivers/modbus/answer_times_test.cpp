#include "drivers/modbus/answer_times.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr Millis kTimeout{1000};

class AnswerTimesTest : public ::testing::Test {
 protected:
  void answers(int count, Millis took) {
    for (int i = 0; i < count; ++i) times_.answered(took, now_);
  }
  Nanos deadline() const { return times_.deadline(kTimeout, now_); }

  MonoTime now_{hours(1)};
  AnswerTimes times_;
};

TEST_F(AnswerTimesTest, DrawsNoDeadlineFromAFewAnswers) {
  answers(AnswerTimes::kEnough - 1, Millis{20});
  EXPECT_EQ(deadline(), kTimeout);
  answers(1, Millis{20});
  EXPECT_EQ(deadline(), Millis{200});
}

TEST_F(AnswerTimesTest, WaitsTwiceTheSlowestAnswerAndNeverLongerThanTheTimeout) {
  answers(AnswerTimes::kEnough, Millis{20});
  answers(1, Millis{300});
  answers(100, Millis{20});
  EXPECT_EQ(deadline(), Millis{600});
  answers(1, Millis{700});
  EXPECT_EQ(deadline(), kTimeout);
}

TEST_F(AnswerTimesTest, KeepsTheSlowestAnswerForADay) {
  answers(1, Millis{300});
  for (int i = 0; i < 24 * 4; ++i) {
    answers(AnswerTimes::kEnough, Millis{20});
    EXPECT_EQ(deadline(), Millis{600}) << i;
    now_ += minutes(15);
  }
  EXPECT_EQ(times_.slowest(now_), Millis{300});
  now_ += hours(1);
  answers(1, Millis{20});
  EXPECT_EQ(times_.slowest(now_), Millis{20});
}

TEST_F(AnswerTimesTest, ForgetsTheSlowestAnswerOfAMeterThatWasNotAskedForDays) {
  answers(AnswerTimes::kEnough, Millis{300});
  now_ += hours(24 * 25);
  EXPECT_EQ(times_.slowest(now_), Millis{0});
}

TEST_F(AnswerTimesTest, BeginsAnewAfterAnUnansweredRequest) {
  answers(AnswerTimes::kEnough, Millis{20});
  times_.unanswered(now_);
  EXPECT_EQ(deadline(), kTimeout);
  answers(AnswerTimes::kEnough - 1, Millis{20});
  EXPECT_EQ(deadline(), kTimeout);
}

TEST_F(AnswerTimesTest, LetsOneSlowAnswerMoveTheMeanOnlyALittle) {
  answers(100, Millis{20});
  answers(1, Millis{900});
  EXPECT_LT(*times_.usual(), Millis{30});
  answers(100, Millis{60});
  EXPECT_NEAR(static_cast<double>(times_.usual()->count()), 60'000, 1'000);
}

}  // namespace
}  // namespace metergate
