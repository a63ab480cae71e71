#include "agent/uplink/republish_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RepublishQueueTest : public ::testing::Test {
 protected:
  MonoTime now{1h};
  RepublishQueue queue;
};

TEST_F(RepublishQueueTest, GivesWhatWasAddedAtOnceAndOnce) {
  EXPECT_TRUE(queue.add(5));
  EXPECT_TRUE(queue.add(5));
  EXPECT_EQ(queue.next(now), now);
  EXPECT_THAT(queue.due(10, now), ElementsAre(5));
  queue.done(5, now);
  EXPECT_THAT(queue.due(10, now), IsEmpty());
  EXPECT_EQ(queue.next(now), MonoTime::max());
}

TEST_F(RepublishQueueTest, GivesTheSameRecordAtMostOnceASecond) {
  queue.add(5);
  queue.done(5, now);
  queue.add(5);
  EXPECT_EQ(queue.next(now), now + 1s);
  EXPECT_THAT(queue.due(10, now + 1s - 1ns), IsEmpty());
  EXPECT_THAT(queue.due(10, now + 1s), ElementsAre(5));
}

TEST_F(RepublishQueueTest, HoldsUpNoOtherRecordMeanwhile) {
  queue.add(5);
  queue.done(5, now);
  queue.add(5);
  queue.add(6);
  EXPECT_THAT(queue.due(10, now), ElementsAre(6));
}

TEST_F(RepublishQueueTest, GivesNoMoreThanIsWanted) {
  for (int i = 1; i <= 5; ++i) queue.add(i);
  EXPECT_THAT(queue.due(3, now), ElementsAre(1, 2, 3));
}

TEST_F(RepublishQueueTest, Holds1000AndCountsWhatItHasNoRoomFor) {
  for (int i = 1; i <= 1000; ++i) EXPECT_TRUE(queue.add(i));
  EXPECT_FALSE(queue.add(1001));
  EXPECT_TRUE(queue.add(1000)) << "it waits already";
  EXPECT_THAT(queue.due(2000, now), SizeIs(1000));
  EXPECT_EQ(queue.dropped(), 1);
}

}  // namespace
}  // namespace metergate
