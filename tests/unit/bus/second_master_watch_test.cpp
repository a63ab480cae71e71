#include "agent/bus/second_master_watch.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class SecondMasterWatchTest : public ::testing::Test {
 protected:
  /// A minute later, `frames` more were heard.
  std::optional<std::int64_t> hear(std::int64_t frames, Nanos time = minutes(1)) {
    now_ += time;
    heard_ += frames;
    return watch_.look(heard_, now_);
  }

  MonoTime now_{std::chrono::hours(1)};
  std::int64_t heard_ = 0;
  SecondMasterWatch watch_;
};

TEST_F(SecondMasterWatchTest, HearsASecondMasterInElevenFramesAMinuteAndNotInTen) {
  hear(0);
  EXPECT_FALSE(hear(10));
  EXPECT_FALSE(watch_.talks());
  EXPECT_EQ(hear(11), 11);
  EXPECT_TRUE(watch_.talks());
}

TEST_F(SecondMasterWatchTest, TellsItOnceUntilItWasQuietForAMinute) {
  hear(0);
  EXPECT_TRUE(hear(100));
  EXPECT_FALSE(hear(100));
  EXPECT_FALSE(hear(0));
  EXPECT_FALSE(watch_.talks());
  EXPECT_TRUE(hear(100));
}

TEST_F(SecondMasterWatchTest, TellsItBeforeTheMinuteIsOver) {
  hear(0);
  EXPECT_FALSE(hear(10, seconds(1)));
  EXPECT_EQ(hear(1, seconds(1)), 11);
}

TEST_F(SecondMasterWatchTest, CountsFramesOverTheTimeInWhichTheyCame) {
  hear(0);
  EXPECT_FALSE(hear(100, minutes(10)));
  EXPECT_TRUE(hear(101, minutes(10)));
}

}  // namespace
}  // namespace metergate
