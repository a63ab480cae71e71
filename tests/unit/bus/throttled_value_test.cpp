#include "agent/bus/throttled_value.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

using std::chrono::minutes;

class ThrottledValueTest : public ::testing::Test {
 protected:
  FakeKeyValueStore store_;
  ThrottledValue value_{store_, "meter.m1"};
  MonoTime now_{std::chrono::hours(1)};
};

TEST_F(ThrottledValueTest, GivesWhatAnEarlierProcessKept) {
  EXPECT_EQ(value_.get(), "");
  store_.values["meter.m1"] = "old";
  EXPECT_EQ(value_.get(), "old");
  store_.error = Error{Errc::kStorage, "disk", 0};
  EXPECT_EQ(value_.get(), "");
}

TEST_F(ThrottledValueTest, IsDueAtOnceAndOnlyWhenItChanged) {
  EXPECT_FALSE(value_.due(now_));
  value_.changed(false);
  EXPECT_TRUE(value_.due(now_));
  value_.keep("new", now_);
  EXPECT_FALSE(value_.due(now_ + std::chrono::hours(1)));
  EXPECT_EQ(store_.values["meter.m1"], "new");
}

TEST_F(ThrottledValueTest, IsWrittenAtMostOnceInAQuarterOfAnHour) {
  value_.keep("1", now_);
  value_.changed(false);
  EXPECT_FALSE(value_.due(now_ + minutes(15) - Millis{1}));
  EXPECT_TRUE(value_.due(now_ + minutes(15)));
}

TEST_F(ThrottledValueTest, IsWrittenOnceAMinuteWhereItMatters) {
  value_.keep("1", now_);
  value_.changed(true);
  value_.changed(false);
  EXPECT_FALSE(value_.due(now_ + minutes(1) - Millis{1}));
  EXPECT_TRUE(value_.due(now_ + minutes(1)));
  value_.keep("2", now_ + minutes(1));
  value_.changed(false);
  EXPECT_FALSE(value_.due(now_ + minutes(10)));
}

}  // namespace
}  // namespace metergate
