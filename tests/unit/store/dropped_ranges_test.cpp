#include "store/sqlite/dropped_ranges.h"

#include <gmock/gmock.h>

#include "tests/unit/store/memory_store.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

/// Keys are numbers times 10 here, as if other lanes had taken the rest.
DroppedRange range(std::int64_t from, std::int64_t to, const std::string& epoch = "e1", Lane lane = Lane::kReadings) {
  return DroppedRange{from * 10, to * 10, lane, epoch, from, to};
}

class DroppedRangesTest : public MemoryStore {
 protected:
  std::vector<std::pair<std::int64_t, std::int64_t>> untold(Lane lane = Lane::kReadings) {
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    for (const DroppedRange& each : ranges_.before(lane, 1 << 30, 10000)) {
      EXPECT_EQ(each.first_key, each.from_seq * 10);
      EXPECT_EQ(each.last_key, each.to_seq * 10);
      found.emplace_back(each.from_seq, each.to_seq);
    }
    EXPECT_EQ(ranges_.count(lane), static_cast<std::int64_t>(found.size()));
    return found;
  }
  void tell(std::int64_t event_key) { ranges_.told(ranges_.before(Lane::kReadings, 1 << 30, 1).at(0), event_key); }

  DroppedRanges ranges_{connection_};
};

TEST_F(DroppedRangesTest, GrowTogetherWithBothNeighbours) {
  EXPECT_EQ(ranges_.add(range(1, 3)), 1);
  EXPECT_EQ(ranges_.add(range(7, 9)), 1);
  EXPECT_THAT(untold(), ElementsAre(Pair(1, 3), Pair(7, 9)));
  EXPECT_EQ(ranges_.add(range(4, 5)), 0);
  EXPECT_EQ(ranges_.add(range(6, 6)), -1);
  EXPECT_THAT(untold(), ElementsAre(Pair(1, 9)));
}

TEST_F(DroppedRangesTest, StayApartWhenANumberBetweenThemIsLeft) {
  ranges_.add(range(1, 3));
  ranges_.add(range(5, 6));
  EXPECT_THAT(untold(), ElementsAre(Pair(1, 3), Pair(5, 6)));
}

TEST_F(DroppedRangesTest, StayApartOverLanesAndEpochs) {
  ranges_.add(range(1, 3));
  ranges_.add(range(4, 5, "e2"));
  ranges_.add(range(6, 6, "e1", Lane::kEvents));
  EXPECT_THAT(untold(), ElementsAre(Pair(1, 3), Pair(4, 5)));
  EXPECT_THAT(untold(Lane::kEvents), ElementsAre(Pair(6, 6)));
}

TEST_F(DroppedRangesTest, DoNotGrowTogetherWithOneThatWasTold) {
  ranges_.add(range(1, 3));
  tell(1000);
  ranges_.add(range(4, 5));
  EXPECT_THAT(untold(), ElementsAre(Pair(4, 5)));
}

TEST_F(DroppedRangesTest, AreFoundOnlyWhenTheyLieWhollyBeforeAKey) {
  ranges_.add(range(1, 3));
  EXPECT_THAT(ranges_.before(Lane::kReadings, 30, 10), IsEmpty());
  EXPECT_EQ(ranges_.before(Lane::kReadings, 31, 10).size(), 1u);
}

TEST_F(DroppedRangesTest, NameTheLastUndeliveredEventThatTellsOfThemBeforeAKey) {
  ranges_.add(range(1, 3));
  tell(1000);
  ranges_.add(range(7, 8));
  tell(1001);
  EXPECT_EQ(ranges_.untold(Lane::kReadings, 50, 0), 1000);
  EXPECT_EQ(ranges_.untold(Lane::kReadings, 90, 0), 1001);
  EXPECT_EQ(ranges_.untold(Lane::kReadings, 90, 1001), 0);
  EXPECT_EQ(ranges_.untold(Lane::kEvents, 90, 0), 0);
}

TEST_F(DroppedRangesTest, GiveTheNumbersOfAnEpochToldOrNot) {
  ranges_.add(range(1, 3));
  tell(1000);
  ranges_.add(range(7, 8));
  ranges_.add(range(20, 21, "e2"));
  EXPECT_THAT(ranges_.dropped(Lane::kReadings, "e1", 3, 7), ElementsAre(Pair(1, 3), Pair(7, 8)));
  EXPECT_THAT(ranges_.dropped(Lane::kReadings, "e1", 4, 6), IsEmpty());
}

TEST_F(DroppedRangesTest, KeepTheNewestThousandWhoseEventIsDeliveredAndAllOthers) {
  for (int i = 0; i < 1200; ++i) {
    ranges_.add(range(2 * i + 1, 2 * i + 1));
    tell(100000 + i);
  }
  ranges_.trim_told(100000 + 99);
  EXPECT_EQ(ranges_.dropped(Lane::kReadings, "e1", 1, 1 << 20).size(), 1100u) << "one that may still be sent went";
  ranges_.trim_told(100000 + 1199);
  const auto left = ranges_.dropped(Lane::kReadings, "e1", 1, 1 << 20);
  EXPECT_EQ(left.size(), 1000u);
  EXPECT_EQ(left.front().first, 401);
}

TEST_F(DroppedRangesTest, NameTheHighestKeySoThatItIsNotGivenAgain) {
  EXPECT_EQ(ranges_.last_key(), 0);
  ranges_.add(range(1, 3));
  EXPECT_EQ(ranges_.last_key(), 30);
  tell(1000);
  EXPECT_EQ(ranges_.last_key(), 1000);
}

}  // namespace
}  // namespace metergate
