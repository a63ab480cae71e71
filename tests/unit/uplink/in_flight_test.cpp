#include "agent/uplink/in_flight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class InFlightTest : public ::testing::Test {
 protected:
  Handle send(Source source, std::size_t bytes) {
    SentMessage message;
    message.handle = ++last;
    message.source = source;
    message.bytes = bytes;
    in_flight.add(message, now);
    return last;
  }
  MonoTime now{1h};
  Handle last = 0;
  InFlight in_flight{3};
};

TEST_F(InFlightTest, IsFullAtTheMostMessagesAndNotBefore) {
  send(Source::kReadings, 1);
  send(Source::kReadings, 1);
  EXPECT_FALSE(in_flight.full());
  const Handle third = send(Source::kReadings, 1);
  EXPECT_TRUE(in_flight.full());
  in_flight.acked(third);
  EXPECT_FALSE(in_flight.full());
}

TEST_F(InFlightTest, ReadingsWaitForEverythingAndTheOthersForWhatIsNotReadings) {
  send(Source::kReadings, 1000);
  send(Source::kResults, 20);
  send(Source::kStatus, 3);
  EXPECT_EQ(in_flight.bytes_before(Source::kReadings), 1023u);
  EXPECT_EQ(in_flight.bytes_before(Source::kEvents), 23u);
  EXPECT_EQ(in_flight.bytes(), 1023u);
}

TEST_F(InFlightTest, GivesBackWhatAPubackIsForWithTheBytesThatWereInFlightAndTheTime) {
  send(Source::kReadings, 1000);
  now += 5ms;
  const Handle handle = send(Source::kEvents, 50);
  const auto message = in_flight.acked(handle);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->queued, 1050u);
  EXPECT_EQ(message->sent, now);
  EXPECT_EQ(in_flight.bytes(), 1000u);
  EXPECT_FALSE(in_flight.acked(handle)) << "once only";
}

TEST_F(InFlightTest, NamesTheSourcesThatHaveAMessageInFlight) {
  send(Source::kReadings, 1);
  const Handle handle = send(Source::kCatalog, 1);
  EXPECT_TRUE(in_flight.sources()[index_of(Source::kCatalog)]);
  in_flight.acked(handle);
  EXPECT_EQ(in_flight.sources().count(), 1u);
  EXPECT_TRUE(in_flight.sources()[index_of(Source::kReadings)]);
}

TEST_F(InFlightTest, GivesOutAllOldestFirstWhenTheConnectionIsLost) {
  send(Source::kReadings, 1);
  send(Source::kEvents, 1);
  const auto lost = in_flight.lost();
  ASSERT_EQ(lost.size(), 2u);
  EXPECT_LT(lost[0].handle, lost[1].handle);
  EXPECT_TRUE(in_flight.empty());
  EXPECT_EQ(in_flight.bytes(), 0u);
}

TEST_F(InFlightTest, IsOverdue15sAndFourTimesTheLinksTimeAfterTheOldestWasSent) {
  EXPECT_EQ(in_flight.overdue(1000), MonoTime::max());
  send(Source::kReadings, 5000);
  const MonoTime sent = now;
  now += 10s;
  send(Source::kReadings, 5000);
  EXPECT_EQ(in_flight.overdue(1000), sent + 15s + 20s);
  EXPECT_EQ(in_flight.age(now), 10s);
}

}  // namespace
}  // namespace metergate
