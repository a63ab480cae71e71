#include "drivers/modbus/connect_delay.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

TEST(ConnectDelayTest, GrowsToTwoSecondsWhileNothingIsAnswered) {
  ConnectDelay delay{Nanos{0}};
  EXPECT_EQ(delay.current(), Nanos{0});
  for (const Millis expected : {Millis{500}, Millis{1000}, Millis{2000}, Millis{2000}}) {
    delay.unanswered();
    EXPECT_EQ(delay.current(), expected);
  }
}

TEST(ConnectDelayTest, IsNeverShorterThanTheOneThatWasGiven) {
  ConnectDelay delay{Millis{1500}};
  EXPECT_EQ(delay.current(), Millis{1500});
  delay.unanswered();
  EXPECT_EQ(delay.current(), Millis{2000});
  delay.answered();
  EXPECT_EQ(delay.current(), Millis{1500});

  ConnectDelay long_one{Millis{5000}};
  long_one.unanswered();
  EXPECT_EQ(long_one.current(), Millis{5000});
}

TEST(ConnectDelayTest, KeepsTheShortestThatWorked) {
  ConnectDelay delay{Nanos{0}};
  for (int i = 0; i < 3; ++i) delay.unanswered();
  delay.answered();
  EXPECT_EQ(delay.current(), Millis{1000});  // is tried
  delay.unanswered();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(delay.current(), Millis{2000});
    delay.answered();
  }
}

TEST(ConnectDelayTest, GoesAwayAgainWhereOnlyTheMeterWasSilent) {
  ConnectDelay delay{Nanos{0}};
  for (int i = 0; i < 3; ++i) delay.unanswered();
  for (int i = 0; i < 3; ++i) delay.answered();
  EXPECT_EQ(delay.current(), Nanos{0});
}

TEST(ConnectDelayTest, DoesNotGrowForAMeterThatIsAwayWhileAnotherAnswers) {
  ConnectDelay delay{Nanos{0}};
  for (int i = 0; i < 20; ++i) {
    delay.answered();
    delay.unanswered();
    delay.unanswered();
    EXPECT_EQ(delay.current(), Nanos{0});
  }
  delay.unanswered();
  EXPECT_EQ(delay.current(), Millis{500});  // nothing is answered any more
}

}  // namespace
}  // namespace metergate
