#include "agent/uplink/message_limit.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

class MessageLimitTest : public ::testing::Test {
 protected:
  MessageLimit limit;
};

TEST_F(MessageLimitTest, KnowsNoneAtFirst) { EXPECT_EQ(limit.bytes(), MessageLimit::kNone); }

TEST_F(MessageLimitTest, IsTheLargestSizeThatIsTakenAfterThreeLossesAtLargerOnes) {
  EXPECT_FALSE(limit.lost(16'000));
  limit.acked(5'000);
  EXPECT_FALSE(limit.lost(8'100));
  limit.acked(3'000);
  EXPECT_TRUE(limit.lost(9'000));
  EXPECT_EQ(limit.bytes(), 5'000u);
}

TEST_F(MessageLimitTest, IsHalfOfWhatWasLostWhereOnlySmallMessagesWereTaken) {
  for (const std::size_t expected : {4'050u, 2'025u, 1'024u}) {
    for (int i = 0; i < 3; ++i) {
      limit.lost(std::min<std::size_t>(limit.bytes(), 8'100));
      limit.acked(200);
    }
    EXPECT_EQ(limit.bytes(), expected);
  }
}

TEST_F(MessageLimitTest, IsNotFoundBySmallMessages) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(limit.lost(1'024));
    limit.acked(200);
  }
}

TEST_F(MessageLimitTest, IsNotFoundWhereNothingWasTakenInBetween) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(limit.lost(16'000));
  EXPECT_EQ(limit.bytes(), MessageLimit::kNone);
}

TEST_F(MessageLimitTest, IsNotFoundWhereALargerMessageIsTakenInBetween) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(limit.lost(8'100));
    limit.acked(4'000);
    limit.acked(8'100);
  }
}

TEST_F(MessageLimitTest, IsNotFoundByLossesAtSizesThatAreTaken) {
  limit.lost(16'000);
  limit.acked(4'000);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(limit.lost(4'000));
}

TEST_F(MessageLimitTest, StaysWhereALargerMessageThatCannotBeSplitIsLost) {
  for (int i = 0; i < 3; ++i) {
    limit.lost(16'000);
    limit.acked(4'000);
  }
  ASSERT_EQ(limit.bytes(), 8'000u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limit.lost(20'000));
  EXPECT_EQ(limit.bytes(), 8'000u);
}

TEST_F(MessageLimitTest, IsForgottenWhenTheBrokerMayBeAnother) {
  for (int i = 0; i < 4; ++i) {
    limit.lost(16'000);
    limit.acked(4'000);
  }
  limit.broker_changed();
  EXPECT_EQ(limit.bytes(), MessageLimit::kNone);
}

}  // namespace
}  // namespace metergate
