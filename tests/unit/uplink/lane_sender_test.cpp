#include "agent/uplink/lane_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

class LaneSenderTest : public ::testing::Test {
 protected:
  void records(int count) {
    for (int i = 0; i < count; ++i) outbox.add(Lane::kReadings);
  }
  /// Sends the next message of so many records; the key of its last.
  std::int64_t send(LaneSender& sender, std::size_t rows = 1) {
    const auto next = sender.next({rows, 10'000});
    if (!next || !*next) return 0;
    sender.sent(**next);
    return (*next)->last_key;
  }
  std::int64_t delivered() const { return outbox.delivered_up_to(Lane::kReadings); }

  FakeOutbox outbox;
  LaneSender lane{Lane::kReadings, outbox, "g1", false, false};
  LaneSender receipted{Lane::kReadings, outbox, "g1", false, true};
};

TEST_F(LaneSenderTest, GoesThroughTheLaneInTheOrderOfItsKeys) {
  records(5);
  EXPECT_EQ(send(lane, 2), 2);
  EXPECT_EQ(send(lane, 2), 4);
  EXPECT_EQ(send(lane, 2), 5);
  EXPECT_EQ(send(lane, 2), 0);
  EXPECT_TRUE(lane.idle());
}

TEST_F(LaneSenderTest, TakesNothingBeforeItIsSent) {
  records(2);
  EXPECT_EQ((*lane.next({1, 10'000}))->last_key, 1);
  EXPECT_EQ((*lane.next({1, 10'000}))->last_key, 1);
}

TEST_F(LaneSenderTest, DeliversAsFarAsEverythingIsAcknowledged) {
  records(3);
  for (int i = 0; i < 3; ++i) send(lane);
  lane.acked(2);
  EXPECT_EQ(delivered(), 0);
  lane.acked(1);
  EXPECT_EQ(delivered(), 2);
  lane.acked(3);
  EXPECT_EQ(delivered(), 3);
}

TEST_F(LaneSenderTest, GoesBackToWhatWasNotAcknowledgedWhenTheConnectionIsLost) {
  records(3);
  for (int i = 0; i < 3; ++i) send(lane);
  lane.acked(1);
  lane.acked(3);
  lane.lost();
  EXPECT_EQ(send(lane), 2);
  EXPECT_EQ(send(lane), 3);
}

TEST_F(LaneSenderTest, StartsBehindWhatAnEarlierRunDelivered) {
  records(3);
  outbox.delivered(Lane::kReadings, 2);
  EXPECT_EQ(send(lane), 3);
}

TEST_F(LaneSenderTest, WithReceiptsAPubackMakesARecordSentAndNotDelivered) {
  records(2);
  send(receipted, 2);
  receipted.acked(2);
  EXPECT_EQ(outbox.sent_keys[0], 2);
  EXPECT_EQ(delivered(), 0);
  EXPECT_EQ(receipted.delivered(), 0);
}

TEST_F(LaneSenderTest, AReceiptThatComesLateNeverMovesDeliveredBack) {
  records(5);
  send(receipted, 5);
  receipted.acked(5);
  EXPECT_EQ(*receipted.receipt({"e0", Lane::kReadings, 4}), ReceiptFate::kCounts);
  EXPECT_EQ(receipted.delivered(), 4);
  EXPECT_EQ(*receipted.receipt({"e0", Lane::kReadings, 2}), ReceiptFate::kNothingNew);
  EXPECT_EQ(receipted.delivered(), 4);
  EXPECT_EQ(*receipted.receipt({"feed", Lane::kReadings, 5}), ReceiptFate::kIgnored);
  EXPECT_EQ(receipted.delivered(), 4);
  EXPECT_EQ(delivered(), 4);
}

TEST_F(LaneSenderTest, AnAnswerOfTheStoreThatIsBehindNeverMovesDeliveredBack) {
  records(5);
  send(receipted, 5);
  receipted.acked(5);
  EXPECT_TRUE(receipted.receipt({"e0", Lane::kReadings, 4}));
  outbox.delivered_keys[0] = 1;
  EXPECT_TRUE(receipted.receipt({"e0", Lane::kReadings, 1}));
  EXPECT_EQ(receipted.delivered(), 4);
  EXPECT_EQ(receipted.cursor(), 5);
}

TEST_F(LaneSenderTest, AReceiptBeyondWhatWasEverPublishedCountsForNothing) {
  records(5);
  send(receipted, 3);
  EXPECT_EQ(*receipted.receipt({"e0", Lane::kReadings, 4}), ReceiptFate::kIgnored);
  EXPECT_EQ(*receipted.receipt({"e0", Lane::kReadings, 3}), ReceiptFate::kCounts) << "also before its PUBACK";
  EXPECT_EQ(receipted.delivered(), 3);
}

TEST_F(LaneSenderTest, ReadsWhatWasSentBeforeWithoutMovingTheLane) {
  records(5);
  send(receipted, 5);
  const auto out = receipted.message_between(1, 3, {10, 10'000});
  ASSERT_TRUE(out);
  EXPECT_EQ(out->records, 2);
  EXPECT_EQ(out->last_key, 3);
  EXPECT_EQ(receipted.cursor(), 5);
}

TEST_F(LaneSenderTest, PutsOneRecordThatIsOverTheLimitIntoAMessageOfItsOwn) {
  outbox.add(Lane::kReadings, {}, 5000);
  outbox.add(Lane::kReadings, {}, 10);
  const auto out = lane.next({10, 1000});
  ASSERT_TRUE(out && *out);
  EXPECT_EQ((*out)->records, 1);
}

}  // namespace
}  // namespace metergate
