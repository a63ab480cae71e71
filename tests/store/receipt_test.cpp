#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kAllSent = 1'000'000;

class ReceiptedTest : public StoreTest {
 protected:
  void append_some(int count) {
    for (int i = 0; i < count; ++i) append(reading("r" + std::to_string(++numbered_), i % 2 == 0));
    append_committed(event("x"));  // keys are shared by the lanes
  }
  ReceiptFate receive(const std::string& epoch, std::int64_t upto, std::int64_t published = kAllSent) {
    const auto done = store_->receipt({epoch, Lane::kReadings, upto}, published);
    EXPECT_TRUE(done);
    pass(settings_.commit_every);
    return done->fate;
  }
  std::vector<std::string> waiting() { return bodies(Lane::kReadings, *store_->delivered_key(Lane::kReadings)); }

  int numbered_ = 0;
};

TEST_F(ReceiptedTest, CoversTheEpochsLaneUpToItsNumberAcrossARestart) {
  open();
  append_some(4);
  EXPECT_EQ(receive("e1", 3), ReceiptFate::kCounts);
  EXPECT_THAT(waiting(), ElementsAre("r4"));
  EXPECT_EQ(store_->state().lanes[0].waiting, 1);
  crash();
  open();
  EXPECT_THAT(waiting(), ElementsAre("r4"));
}

TEST_F(ReceiptedTest, CountsForItsEpochAlsoAfterLaterStarts) {
  open();
  append_some(4);
  restart();
  append_some(2);
  restart();
  append_some(2);
  EXPECT_EQ(receive("e1", 3), ReceiptFate::kCounts);
  EXPECT_THAT(waiting(), ElementsAre("r4", "r5", "r6", "r7", "r8"));
}

TEST_F(ReceiptedTest, BeyondTheEndOfAnEarlierEpochCoversAllOfItAndNothingElse) {
  open();
  append_some(4);
  restart();
  append_some(2);
  EXPECT_EQ(receive("e1", 4711), ReceiptFate::kCounts);
  EXPECT_THAT(waiting(), ElementsAre("r5", "r6"));
}

TEST_F(ReceiptedTest, BeyondTheLastRecordOfTheRunningEpochIsIgnored) {
  open();
  append_some(4);
  EXPECT_EQ(receive("e1", 5), ReceiptFate::kIgnored);
  EXPECT_THAT(waiting(), ElementsAre("r1", "r2", "r3", "r4"));
}

TEST_F(ReceiptedTest, ForWhatWasNotYetSentIsIgnored) {
  open();
  append_some(4);
  EXPECT_EQ(receive("e1", 4, rows(Lane::kReadings)[2].key), ReceiptFate::kIgnored);
  EXPECT_EQ(receive("e1", 3, rows(Lane::kReadings)[2].key), ReceiptFate::kCounts);
}

TEST_F(ReceiptedTest, OfAnUnknownEpochIsIgnored) {
  open();
  append_some(2);
  EXPECT_EQ(receive("e7", 2), ReceiptFate::kIgnored);
  EXPECT_EQ(receive("", 0), ReceiptFate::kIgnored);
  EXPECT_THAT(waiting(), ElementsAre("r1", "r2"));
}

TEST_F(ReceiptedTest, TellsNothingNewTwiceOrLate) {
  open();
  append_some(3);
  receive("e1", 2);
  EXPECT_EQ(receive("e1", 2), ReceiptFate::kNothingNew);
  EXPECT_EQ(receive("e1", 1), ReceiptFate::kNothingNew);
  EXPECT_EQ(receive("e1", 0), ReceiptFate::kNothingNew);
  EXPECT_THAT(waiting(), ElementsAre("r3"));
}

TEST_F(ReceiptedTest, OfALaterEpochWaitsForTheHolesBefore) {
  open();
  append_some(3);
  restart();
  append_some(2);
  restart();
  append_some(2);
  EXPECT_EQ(receive("e2", 2), ReceiptFate::kCounts);
  EXPECT_EQ(receive("e2", 2), ReceiptFate::kNothingNew);
  EXPECT_EQ(receive("e3", 1), ReceiptFate::kCounts);
  EXPECT_EQ(receive("e1", 2), ReceiptFate::kCounts);
  EXPECT_THAT(waiting(), ElementsAre("r3", "r4", "r5", "r6", "r7"));
  receive("e1", 3);
  EXPECT_THAT(waiting(), ElementsAre("r7"));
}

TEST_F(ReceiptedTest, PassesARangeThatWasDropped) {
  settings_.max_bytes = 8 << 20;
  open();
  while (store_->state().lanes[0].dropped == 0) append_committed(reading(std::string(60'000, 'x')));
  const auto last = store_->state().lanes[0].last_seq;
  ASSERT_GT(rows(Lane::kReadings).front().seq, 1);
  EXPECT_EQ(receive("e1", 1), ReceiptFate::kNothingNew);
  EXPECT_EQ(receive("e1", last), ReceiptFate::kCounts);
  EXPECT_THAT(waiting(), IsEmpty());
  EXPECT_EQ(store_->state().lanes[0].waiting, 0);
}

TEST_F(ReceiptedTest, WhatWasSentAndHasNoReceiptIsKept) {
  settings_.keep_sent = Millis{0};
  open();
  append_some(3);
  store_->sent(Lane::kReadings, kAllSent);
  pass(std::chrono::hours(1));
  restart();
  EXPECT_THAT(waiting(), ElementsAre("r1", "r2", "r3"));
  EXPECT_GE(*store_->sent_key(Lane::kReadings), rows(Lane::kReadings).back().key);
}

}  // namespace
}  // namespace metergate
