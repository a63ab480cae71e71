#include "drivers/port/response_times.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr Millis kTimeout{1000};

class ResponseTimesTest : public ::testing::Test {
 protected:
  void answers(int count, Millis took) {
    for (int i = 0; i < count; ++i) times_.answered(took, now_);
  }
  Nanos deadline() const { return times_.deadline(kTimeout, now_); }

  MonoTime now_{hours(1)};
  ResponseTimes times_;
};

TEST_F(ResponseTimesTest, DrawsNoDeadlineFromAFewAnswers) {
  answers(ResponseTimes::kEnough - 1, Millis{20});
  EXPECT_EQ(deadline(), kTimeout);
  answers(1, Millis{20});
  EXPECT_EQ(deadline(), Millis{200});
}

/// README, "Deadlines": 20 answers running, at least 200 ms, 24 h.
TEST_F(ResponseTimesTest, KeepsTheNumbersThatTheManualNames) {
  EXPECT_EQ(ResponseTimes::kEnough, 20);
  EXPECT_EQ(ResponseTimes::kShortest, Millis{200});
  EXPECT_EQ(ResponseTimes::kKept, hours{24});
}

TEST_F(ResponseTimesTest, WaitsTwiceTheSlowestAnswerAndNeverLongerThanTheTimeout) {
  answers(ResponseTimes::kEnough, Millis{20});
  answers(1, Millis{300});
  answers(100, Millis{20});
  EXPECT_EQ(deadline(), Millis{600});
  answers(1, Millis{700});
  EXPECT_EQ(deadline(), kTimeout);
}

TEST_F(ResponseTimesTest, KeepsTheSlowestAnswerForADay) {
  answers(1, Millis{300});
  for (int i = 0; i < 24 * 4; ++i) {
    answers(ResponseTimes::kEnough, Millis{20});
    EXPECT_EQ(deadline(), Millis{600}) << i;
    now_ += minutes(15);
  }
  EXPECT_EQ(times_.slowest(now_), Millis{300});
  now_ += hours(1);
  answers(1, Millis{20});
  EXPECT_EQ(times_.slowest(now_), Millis{20});
}

TEST_F(ResponseTimesTest, ForgetsTheSlowestAnswerOfAMeterThatWasNotAskedForDays) {
  answers(ResponseTimes::kEnough, Millis{300});
  now_ += hours(24 * 25);
  EXPECT_EQ(times_.slowest(now_), Millis{0});
}

TEST_F(ResponseTimesTest, BeginsAnewAfterAnUnansweredRequest) {
  answers(ResponseTimes::kEnough, Millis{20});
  times_.unanswered(now_);
  EXPECT_EQ(deadline(), kTimeout);
  answers(ResponseTimes::kEnough - 1, Millis{20});
  EXPECT_EQ(deadline(), kTimeout);
}

TEST_F(ResponseTimesTest, LetsOneSlowAnswerMoveTheMeanOnlyALittle) {
  answers(100, Millis{20});
  answers(1, Millis{900});
  EXPECT_LT(*times_.usual(), Millis{30});
  answers(100, Millis{60});
  EXPECT_NEAR(static_cast<double>(times_.usual()->count()), 60'000, 1'000);
}

}  // namespace
}  // namespace metergate
