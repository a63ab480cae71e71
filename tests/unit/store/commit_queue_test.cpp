#include "store/sqlite/commit_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr std::int64_t kAnyBytes = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kAnyWrites = std::numeric_limits<std::size_t>::max();

MonoTime at(int ms) { return MonoTime{Millis{ms}}; }

WriteRequest reading(const std::string& meter, MonoTime due = at(1000), std::int64_t bytes = 100) {
  WriteRequest write;
  write.record = Draft{Lane::kReadings, from_ms(5000), meter, true, "body"};
  write.spare = true;
  write.bytes = bytes;
  write.due = due;
  return write;
}

WriteRequest record(Lane lane, MonoTime due = at(0)) {
  WriteRequest write;
  write.record = Draft{lane, from_ms(5000), "", true, "body"};
  write.spare = lane != Lane::kResults;
  write.bytes = 100;
  write.due = due;
  return write;
}

class CommitQueueTest : public ::testing::Test {
 protected:
  WriteBatch fill(std::int64_t max_bytes = kAnyBytes, std::size_t max_writes = kAnyWrites) {
    WriteBatch batch;
    queue_.fill(batch, max_bytes, max_writes);
    return batch;
  }
  CommitQueue queue_;
};

TEST_F(CommitQueueTest, IsDueWhenItsEarliestWriteIs) {
  EXPECT_EQ(queue_.due(), MonoTime::max());
  EXPECT_TRUE(queue_.push(reading("m", at(1000))));
  EXPECT_EQ(queue_.due(), at(1000));
  EXPECT_FALSE(queue_.push(reading("m", at(1500)))) << "the store's thread need not be woken";
  EXPECT_TRUE(queue_.push(record(Lane::kResults, at(10))));
  EXPECT_EQ(queue_.due(), at(10));
  fill();
  EXPECT_EQ(queue_.due(), MonoTime::max());
}

TEST_F(CommitQueueTest, HoldsTenThousandReadingsAndCountsThoseBeyond) {
  for (int i = 0; i < 10000; ++i) queue_.push(reading("m1"));
  EXPECT_EQ(queue_.state().readings_lost, 0);
  queue_.push(reading("m2"));
  EXPECT_EQ(queue_.state().readings_lost, 1);
  EXPECT_EQ(queue_.waiting_writes(), 10000u);
  const WriteBatch batch = fill();
  EXPECT_EQ(batch.lost.count, 1);
  EXPECT_THAT(batch.lost.meters, ElementsAre("m2"));
  // What was taken makes room.
  queue_.push(reading("m3"));
  EXPECT_EQ(queue_.state().readings_lost, 1);
}

TEST_F(CommitQueueTest, HoldsEightMebibytesOfReadings) {
  queue_.push(reading("m", at(1000), (8 << 20) - 1));
  queue_.push(reading("m", at(1000), 1));
  EXPECT_EQ(queue_.state().readings_lost, 0);
  queue_.push(reading("m", at(1000), 1));
  EXPECT_EQ(queue_.state().readings_lost, 1);
}

TEST_F(CommitQueueTest, HoldsAThousandEventsAndAnyNumberOfResults) {
  for (int i = 0; i < 1000; ++i) queue_.push(record(Lane::kEvents));
  for (int i = 0; i < 2000; ++i) queue_.push(record(Lane::kResults));
  EXPECT_EQ(queue_.state().shed, 0);
  queue_.push(record(Lane::kEvents));
  EXPECT_EQ(queue_.state().shed, 1);
  EXPECT_EQ(queue_.waiting_writes(), 3000u);
}

TEST_F(CommitQueueTest, HoldsTheNewestValuesOfTenThousandNames) {
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(queue_.put("n" + std::to_string(i), "old", at(0)));
  EXPECT_FALSE(queue_.put("one more", "x", at(0)));
  EXPECT_EQ(queue_.state().shed, 1);
  EXPECT_TRUE(queue_.put("n7", "new", at(0)));
  EXPECT_EQ(queue_.value("n7"), "new");
  EXPECT_EQ(queue_.value("one more"), std::nullopt);
}

TEST_F(CommitQueueTest, IsDueWhenAReadingThatWasLostWouldHaveBeen) {
  for (int i = 0; i < 10000; ++i) queue_.push(reading("m1", at(5000)));
  queue_.push(reading("m2", at(700)));
  EXPECT_EQ(queue_.due(), at(700));
}

TEST_F(CommitQueueTest, FillsABatchWithTheOldestThatFitAndTheRestIsDueAtOnce) {
  for (const char* meter : {"a", "b", "c"}) queue_.push(reading(meter));
  const WriteBatch first = fill(250);
  ASSERT_EQ(first.writes.size(), 2u);
  EXPECT_EQ(first.writes[0].record->meter, "a");
  EXPECT_EQ(queue_.due(), MonoTime::min());
  EXPECT_EQ(fill(250).writes.at(0).record->meter, "c");
}

TEST_F(CommitQueueTest, GivesCommandsAloneWhenThatIsWanted) {
  EXPECT_FALSE(queue_.commands_wait());
  queue_.push(reading("a"));
  for (int i = 0; i < 2; ++i) {
    WriteRequest command;
    command.refuse = [](Database&) {};
    command.bytes = 7 + i;
    queue_.push(std::move(command));
    queue_.push(reading("b"));
  }
  EXPECT_TRUE(queue_.commands_wait());
  WriteBatch batch;
  queue_.take_commands(batch);
  ASSERT_EQ(batch.writes.size(), 2u);
  EXPECT_EQ(batch.writes[0].bytes, 7);
  EXPECT_EQ(batch.writes[1].bytes, 8);
  EXPECT_FALSE(queue_.commands_wait());
  EXPECT_EQ(queue_.waiting_writes(), 3u);
  EXPECT_EQ(fill().writes.at(0).record->meter, "a");
}

TEST_F(CommitQueueTest, TakesOneWriteThatIsLargerThanABatch) {
  queue_.push(reading("large", at(0), 1000));
  queue_.push(reading("small"));
  EXPECT_EQ(fill(10).writes.size(), 1u);
  queue_.push(reading("other"));
  EXPECT_EQ(fill(kAnyBytes, 1).writes.size(), 1u);
}

TEST_F(CommitQueueTest, PutsNewerValuesIntoABatchThatIsTriedAgain) {
  queue_.put("a", "1", at(0));
  queue_.put("b", "1", at(0));
  WriteBatch batch = fill();
  queue_.put("a", "2", at(0));
  queue_.fill(batch, kAnyBytes, kAnyWrites);
  EXPECT_THAT(batch.values, ElementsAre(Pair("a", "2"), Pair("b", "1")));
  EXPECT_EQ(queue_.value("b"), "1") << "it is not durable yet";
  queue_.values_written();
  EXPECT_EQ(queue_.value("b"), std::nullopt);
}

TEST_F(CommitQueueTest, MovesACursorForwardOnlyAndNotBeyondTheLastKey) {
  queue_.set_last_key(50);
  EXPECT_TRUE(queue_.move(&Cursors::delivered, Lane::kReadings, 40, at(1000)));
  EXPECT_EQ(queue_.due(), at(1000));
  EXPECT_FALSE(queue_.move(&Cursors::delivered, Lane::kReadings, 30, at(1000)));
  EXPECT_EQ(queue_.cursors().delivered[0], 40);
  queue_.move(&Cursors::delivered, Lane::kReadings, 70, at(1000));
  EXPECT_EQ(queue_.cursors().delivered[0], 50);
  EXPECT_EQ(fill().cursors.delivered[0], 50);
}

TEST_F(CommitQueueTest, TellsAllThatWaitWhyItWasClosedAndTakesNothingMore) {
  const auto write = std::make_shared<Completion>();
  const auto read = std::make_shared<Completion>();
  const auto late = std::make_shared<Completion>();
  WriteRequest request;
  request.completion = write;
  queue_.push(std::move(request));
  queue_.push(ReadRequest{nullptr, read});
  queue_.close(Error{Errc::kCorrupt, "first"});
  queue_.close(Error{Errc::kStorage, "second"});
  queue_.push(ReadRequest{nullptr, late});
  for (const auto& each : {write, read, late}) {
    const Status told = each->wait(Millis{0});
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Errc::kCorrupt);
    EXPECT_EQ(told.error().detail, "first");
  }
  EXPECT_EQ(queue_.waiting_writes(), 0u);
}

}  // namespace
}  // namespace metergate
