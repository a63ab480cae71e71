#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What a whole search finds, as "e1/1" or "e1/2-4 purged", in its order.
class SearchTest : public StoreTest {
 protected:
  Draft at(std::int64_t second, const std::string& meter = "main", bool keep_high = true) {
    Draft draft = reading("x", keep_high);
    draft.at = begin_ + Millis{second * 1000};
    draft.meter = meter;
    return draft;
  }
  void append_at(std::initializer_list<std::int64_t> seconds) {
    for (const std::int64_t second : seconds) append(at(second, second % 2 == 0 ? "even" : "odd", second % 3 == 0));
    append_committed(event("x"));
  }
  std::vector<std::string> search(const ReplayWish& wish, std::size_t max_rows = 3) {
    std::vector<std::string> found;
    ReplayPlace place;
    for (int i = 0; i < 10'000; ++i) {
      const auto piece = store_->search(wish, place, max_rows, 1 << 20);
      EXPECT_TRUE(piece);
      EXPECT_LE(piece->rows.size(), max_rows);
      for (const Row& row : piece->rows) {
        EXPECT_EQ(row.bytes, row.epoch + "/readings/" + std::to_string(row.seq) + " x");
        found.push_back(row.epoch + "/" + std::to_string(row.seq));
      }
      for (const MissingRange& range : piece->missing) {
        const char* const why[] = {"dropped", "purged", "unknown"};
        found.push_back(range.epoch + "/" + std::to_string(range.from_seq) + "-" + std::to_string(range.to_seq) + " " +
                        why[static_cast<int>(range.why)]);
      }
      if (piece->end) return found;
      place = piece->next;
    }
    ADD_FAILURE() << "a search without end";
    return found;
  }
  std::vector<std::string> numbers(const std::string& epoch, std::int64_t from, std::int64_t to) {
    return search({Lane::kReadings, epoch, from, to, {}, {}, ""});
  }
  std::vector<std::string> times(std::int64_t from, std::int64_t to, const std::string& meter = "") {
    return search({Lane::kReadings, "", 1, 0, at(from).at, at(to).at, meter});
  }
  /// Everything delivered before now is purged.
  void purge(std::int64_t key) {
    deliver(Lane::kReadings, key);
    pass(std::chrono::hours(1));
  }

  const UtcTime begin_ = clock_.utc();
};

TEST_F(SearchTest, FindsTheNumbersOfAnEpochBothEndsIncluded) {
  open();
  append_at({1, 2, 3, 4, 5, 6, 7, 8});
  restart();
  append_at({9, 10, 11});
  EXPECT_THAT(numbers("e1", 3, 7), ElementsAre("e1/3", "e1/4", "e1/5", "e1/6", "e1/7"));
  EXPECT_THAT(numbers("e2", 1, 3), ElementsAre("e2/1", "e2/2", "e2/3"));
  EXPECT_THAT(numbers("e1", 8, 8), ElementsAre("e1/8"));
}

TEST_F(SearchTest, FindsTimesOverAllEpochsBothEndsIncludedWhateverTheirOrder) {
  open();
  append_at({1, 2, 3, 9});
  restart();
  append_at({4, 3, 5, 6, 2});
  EXPECT_THAT(times(3, 5), ElementsAre("e1/3", "e2/1", "e2/2", "e2/3"));
  EXPECT_THAT(times(20, 30), IsEmpty());
}

TEST_F(SearchTest, FindsOneMetersRecordsOnly) {
  open();
  append_at({1, 2, 3, 4, 5, 6});
  EXPECT_THAT(times(2, 5, "even"), ElementsAre("e1/2", "e1/4"));
  ReplayWish wish{Lane::kReadings, "e1", 1, 4, {}, {}, "odd"};
  EXPECT_THAT(search(wish), ElementsAre("e1/1", "e1/3"));
}

TEST_F(SearchTest, KnowsNoNumberThatWasNeverGiven) {
  open();
  append_at({1, 2});
  restart();
  append_at({3});
  EXPECT_THAT(numbers("e1", 2, 5), ElementsAre("e1/2", "e1/3-5 unknown"));
  EXPECT_THAT(numbers("e2", 2, 2), ElementsAre("e2/2-2 unknown"));
  EXPECT_THAT(numbers("nobody", 1, 4), ElementsAre("nobody/1-4 unknown"));
}

TEST_F(SearchTest, TellsWhatWasPurged) {
  settings_.keep_sent = Millis{0};
  open();
  append_at({1, 2, 3, 4});
  purge(rows(Lane::kReadings)[1].key);
  restart();
  append_at({5, 6});
  EXPECT_THAT(numbers("e1", 1, 5), ElementsAre("e1/3", "e1/4", "e1/1-2 purged", "e1/5-5 unknown"));
  purge(1'000'000);
  EXPECT_THAT(numbers("e1", 2, 4), ElementsAre("e1/2-4 purged"));
}

TEST_F(SearchTest, TellsWhatWasDroppedBeforeAndAfterItsEvent) {
  settings_.max_bytes = 8 << 20;
  open();
  Draft big = at(1);
  big.body = std::string(60'000, 'x');
  while (store_->state().lanes[0].dropped < 3) append_committed(big);
  const std::int64_t first = rows(Lane::kReadings).front().seq;  // tells it
  const ReplayWish wish{Lane::kReadings, "e1", 1, first - 1, {}, {}, ""};
  EXPECT_THAT(search(wish), ElementsAre("e1/1-" + std::to_string(first - 1) + " dropped"));
  while (store_->state().lanes[0].dropped < first) append_committed(big);  // and these are not told yet
  const std::string later = std::to_string(store_->state().lanes[0].dropped);
  const auto found = numbers("e1", 1, store_->state().lanes[0].dropped);
  EXPECT_EQ(found.back().substr(found.back().find('-')), "-" + later + " dropped");
}

TEST_F(SearchTest, ByTimeTellsOnlyWhatMayHaveBeenOfThatTime) {
  settings_.keep_sent = Millis{0};
  open();
  append_at({1, 2, 3, 4, 5, 6});
  purge(rows(Lane::kReadings)[2].key);
  EXPECT_THAT(times(4, 5), ElementsAre("e1/4", "e1/5", "e1/1-3 purged"));
  EXPECT_THAT(times(5, 6), ElementsAre("e1/5", "e1/6"));
}

TEST_F(SearchTest, ByTimeTellsWhatIsMissingBehindAClockThatWasAhead) {
  settings_.keep_sent = Millis{0};
  clock_.advance(std::chrono::hours(5));
  open();
  append_at({1, 2, 3, 4});
  purge(rows(Lane::kReadings)[1].key);
  EXPECT_THAT(times(1, 3), ElementsAre("e1/3", "e1/1-2 purged"));
}

TEST_F(SearchTest, LooksThroughManyRowsThatDoNotFitInSteps) {
  open();
  for (int i = 0; i < 2000; ++i) append(at(i));
  append_committed(event("x"));
  const ReplayWish wish{Lane::kReadings, "", 1, 0, at(1999).at, at(1999).at, ""};
  const auto first = store_->search(wish, {}, 10, 1000);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->rows, IsEmpty());
  EXPECT_FALSE(first->end);
  EXPECT_THAT(search(wish), ElementsAre("e1/2000"));
}

TEST_F(SearchTest, GoesOnAtItsPlaceAfterARestart) {
  open();
  append_at({1, 2, 3, 4, 5});
  const ReplayWish wish{Lane::kReadings, "e1", 2, 5, {}, {}, ""};
  const auto first = store_->search(wish, {}, 2, 1 << 20);
  ASSERT_EQ(first->rows.size(), 2u);
  crash();
  open();
  const auto second = store_->search(wish, first->next, 2, 1 << 20);
  ASSERT_EQ(second->rows.size(), 2u);
  EXPECT_EQ(second->rows[0].seq, 4);
  EXPECT_THAT(second->missing, IsEmpty());
  EXPECT_TRUE(second->end || store_->search(wish, second->next, 2, 1 << 20)->end);
}

TEST_F(SearchTest, FindsRecordsOfTheOtherLanes) {
  open();
  append(event("x"));
  append_committed(result("y"));
  const auto events = store_->search({Lane::kEvents, "e1", 1, 5, {}, {}, ""}, {}, 10, 1 << 20);
  ASSERT_EQ(events->rows.size(), 2u);
  EXPECT_EQ(events->rows[1].bytes, "e1/events/2 x");
  EXPECT_EQ(events->rows[1].lane, Lane::kEvents);
  EXPECT_EQ(store_->search({Lane::kResults, "e1", 1, 1, {}, {}, ""}, {}, 10, 1 << 20)->rows.size(), 1u);
}

}  // namespace
}  // namespace metergate
