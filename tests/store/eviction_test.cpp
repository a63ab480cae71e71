#include <cstdio>
#include <map>

#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t kCap = 8 << 20;

/// The smallest store, filled until records have to go.
class EvictionTest : public StoreTest {
 protected:
  EvictionTest() { settings_.max_bytes = kCap; }

  /// Appends `count` readings of about `bytes`, committed as they come.
  void fill(int count, bool keep_high = true, std::size_t bytes = 1000) {
    for (int i = 0; i < count; ++i) {
      append(reading((keep_high ? "h" : "l") + std::string(bytes, 'x'), keep_high));
      if (i % 50 == 49) pass(settings_.commit_every);
    }
    pass(settings_.commit_every);
  }
  std::map<char, int> kinds() {
    std::map<char, int> found;
    for (const std::string& body : bodies(Lane::kReadings)) ++found[body[0]];
    return found;
  }
  std::vector<std::string> told() {
    std::vector<std::string> found;
    for (const std::string& body : bodies(Lane::kEvents)) {
      if (body.rfind("dropped", 0) == 0) found.push_back(body);
    }
    return found;
  }
  std::int64_t dropped() { return store_->state().lanes[0].dropped; }
};

TEST_F(EvictionTest, StaysUnderTheCapWithAllItsFilesWhateverComes) {
  open();
  std::int64_t largest = 0;
  for (int i = 0; i < 60; ++i) {
    fill(50, true, 200);
    fill(20, false, 16000);
    append_committed(result(std::string(60000, 'r')));
    deliver(Lane::kResults, 1 << 30);
    largest = std::max(largest, folder_.bytes());
  }
  EXPECT_LE(largest, kCap);
  EXPECT_GT(largest, kCap / 2) << "the cap was never reached, so nothing was tried";
  EXPECT_GT(dropped(), 0);
}

TEST_F(EvictionTest, DropsNothingWhileThereIsRoom) {
  open();
  fill(3000);
  EXPECT_EQ(dropped(), 0);
  EXPECT_EQ(kinds()['h'], 3000);
}

TEST_F(EvictionTest, LetsDeliveredRecordsGoFirstAndCountsThemNotAsDropped) {
  open();
  fill(4000);
  deliver(Lane::kReadings, rows(Lane::kReadings).back().key);
  fill(4000);
  EXPECT_EQ(dropped(), 0);
  EXPECT_EQ(store_->state().lanes[0].waiting, 4000);
  EXPECT_EQ(store_->state().readings_lost, 0);
}

TEST_F(EvictionTest, LetsDeliveredReadingsOfKeepLowGoBeforeThoseOfKeepHigh) {
  open();
  fill(1500, true);
  fill(1500, false);
  deliver(Lane::kReadings, rows(Lane::kReadings).back().key);
  fill(2500, true);
  EXPECT_EQ(dropped(), 0);
  EXPECT_LT(kinds()['l'], 1000);
  EXPECT_GT(kinds()['l'], 0);
  EXPECT_EQ(kinds()['h'], 4000);
}

TEST_F(EvictionTest, DropsUndeliveredReadingsOfKeepLowByAgeThenOfKeepHigh) {
  open();
  fill(1500, true);
  fill(1500, false);
  fill(2000, true);
  auto left = kinds();
  ASSERT_GT(left['l'], 0);
  ASSERT_LT(left['l'], 1500);
  EXPECT_EQ(left['h'], 3500) << "a reading of keep=high went while one of keep=low was there";
  fill(3000, true);
  left = kinds();
  EXPECT_EQ(left['l'], 0);
  EXPECT_LT(left['h'], 6500);
  EXPECT_EQ(dropped(), 8000 - left['h']);
  EXPECT_EQ(store_->state().lanes[0].waiting, left['h']);
}

TEST_F(EvictionTest, TellsEachDroppedRangeOnceAndAdjoiningRangesAsOne) {
  open();
  fill(9000);
  const std::int64_t first_left = rows(Lane::kReadings).front().seq;
  ASSERT_GT(first_left, 1);
  const std::string range = "1-" + std::to_string(first_left - 1) + " (" + std::to_string(first_left - 1) + ")";
  EXPECT_THAT(told(), ElementsAre("dropped e1 readings " + range));
  EXPECT_EQ(dropped(), first_left - 1);
  restart();
  EXPECT_THAT(told(), ElementsAre("dropped e1 readings " + range));
}

TEST_F(EvictionTest, TellsRangesOfSeveralEpochsApart) {
  open();
  fill(1000);
  restart();
  fill(8000);
  bodies(Lane::kReadings);  // reading comes to the dropped range
  const auto ranges = told();
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0], "dropped e1 readings 1-1000 (1000)");
  EXPECT_EQ(ranges[1].substr(0, 22), "dropped e2 readings 1-");
}

TEST_F(EvictionTest, AddsUpEveryMissingNumberInTheRangesItTells) {
  open();
  for (int i = 0; i < 12000; ++i) {
    append(reading(std::string(700, 'x'), i % 7 == 0));
    if (i % 50 == 49) pass(settings_.commit_every);
  }
  pass(settings_.commit_every);
  std::int64_t expected = 0;
  std::int64_t last = 0;
  std::vector<std::string> missing;
  for (const Row& row : rows(Lane::kReadings)) {
    if (row.seq != last + 1) {
      missing.push_back("dropped e1 readings " + std::to_string(last + 1) + "-" + std::to_string(row.seq - 1) + " (" +
                        std::to_string(row.seq - last - 1) + ")");
      expected += row.seq - last - 1;
    }
    last = row.seq;
  }
  EXPECT_EQ(last, 12000);
  ASSERT_GT(missing.size(), 10u);
  EXPECT_EQ(told(), missing);
  EXPECT_EQ(dropped(), expected);
}

TEST_F(EvictionTest, NamesTheEventThatMustBeSentBeforeTheRowsBehindADroppedRange) {
  open();
  fill(2, true);
  const std::int64_t before_range = rows(Lane::kReadings).back().key;
  fill(1000, false);
  fill(4000, true);
  // Nothing is told of before reading comes to it.
  auto batch = store_->peek(Lane::kReadings, 0, 2, 1 << 20);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->rows.back().key, before_range) << "the first two readings were to stay";
  EXPECT_EQ(batch->after_event, 0);
  EXPECT_THAT(told(), IsEmpty());

  batch = store_->peek(Lane::kReadings, before_range, 1, 1 << 20);
  ASSERT_EQ(told().size(), 1u);
  const Row last_event = rows(Lane::kEvents).back();
  EXPECT_EQ(batch->after_event, last_event.key);
  // As long as the event may still have to be sent, also after a restart.
  restart();
  EXPECT_EQ(store_->peek(Lane::kReadings, before_range, 1, 1 << 20)->after_event, last_event.key);
  deliver(Lane::kEvents, last_event.key);
  EXPECT_EQ(store_->peek(Lane::kReadings, before_range, 1, 1 << 20)->after_event, 0);
}

TEST_F(EvictionTest, DropsNothingThatWasGivenToBeSentBeforeItsFateIsKnown) {
  open();
  fill(1000);
  const auto in_flight = store_->peek(Lane::kReadings, 0, 50, 1 << 20);
  ASSERT_EQ(in_flight->rows.size(), 50u);
  fill(9000);
  ASSERT_GT(dropped(), 1000);
  EXPECT_EQ(rows(Lane::kReadings).at(49).seq, 50);
  const std::int64_t gone = dropped();
  EXPECT_THAT(told(),
              ElementsAre("dropped e1 readings 51-" + std::to_string(gone + 50) + " (" + std::to_string(gone) + ")"));
  // Acknowledged, they go before anything else and are no loss.
  deliver(Lane::kReadings, in_flight->rows.back().key);
  fill(40);
  EXPECT_EQ(dropped(), gone);
  EXPECT_GT(rows(Lane::kReadings).front().seq, 30);
}

TEST_F(EvictionTest, KeepsWhatIsInFlightAlsoWhenTheFileWasOpenedAgain) {
  WatchedVfs vfs("failing");
  bool fails = false;
  vfs.judge = [&](const FileOperation& operation) {
    const bool failed = fails && operation.kind == FileOperation::Kind::kSync;
    return failed ? WatchedVfs::Verdict::kFails : WatchedVfs::Verdict::kDone;
  };
  settings_.vfs = "failing";
  open();
  fill(1000);
  ASSERT_EQ(store_->peek(Lane::kReadings, 0, 50, 1 << 20)->rows.size(), 50u);
  fails = true;
  fill(1);
  fails = false;
  pass(std::chrono::minutes(1));
  ASSERT_GT(store_->state().reopened, 0);
  fill(9000);
  ASSERT_GT(dropped(), 1000);
  EXPECT_EQ(rows(Lane::kReadings).at(49).seq, 50);
  store_.reset();  // before its VFS
}

TEST_F(EvictionTest, DropsWhatTheBrokerAcknowledgedOfALaneWithoutReceiptsBeforeWhatIsInFlight) {
  open();
  fill(1000);
  ASSERT_TRUE(store_->peek(Lane::kReadings, 0, 50, 1 << 20));
  store_->sent(Lane::kReadings, rows(Lane::kReadings).at(19).key);
  fill(9000);
  const auto left = rows(Lane::kReadings);
  EXPECT_EQ(left.at(0).seq, 21);
  EXPECT_EQ(left.at(29).seq, 50);
  EXPECT_GT(left.at(30).seq, 1000);
}

TEST_F(EvictionTest, DropsNothingWhileWhatWasJustDeliveredMakesRoom) {
  open();
  fill(20);
  while (dropped() == 0) fill(50);
  const std::int64_t before = dropped();
  for (int round = 0; round < 20; ++round) {
    const auto batch = store_->peek(Lane::kReadings, *store_->delivered_key(Lane::kReadings), 100, 1 << 20);
    ASSERT_EQ(batch->rows.size(), 100u);
    // Committed together with the readings that need the room.
    store_->delivered(Lane::kReadings, batch->rows.back().key);
    for (int i = 0; i < 50; ++i) append(reading(std::string(1000, 'x')));
    pass(settings_.commit_every);
  }
  EXPECT_EQ(dropped(), before);
}

TEST_F(EvictionTest, TellsNoTwoRangesThatAdjoinWhileASlowReaderComesToThem) {
  open();
  std::int64_t after = 0;
  for (int round = 0; round < 300; ++round) {
    fill(50);
    const auto batch = store_->peek(Lane::kReadings, after, 3, 1 << 20);
    if (round % 10 == 0) {
      after = batch->rows.back().key;
      store_->delivered(Lane::kReadings, batch->rows.back().key);
    }
  }
  const auto ranges = told();
  ASSERT_GT(ranges.size(), 5u);
  long long last = -1;
  for (const std::string& range : ranges) {
    long long from = 0, to = 0;
    ASSERT_EQ(std::sscanf(range.c_str(), "dropped e1 readings %lld-%lld", &from, &to), 2) << range;
    EXPECT_GT(from, last + 1) << range << " adjoins the one before";
    last = to;
  }
}

TEST_F(EvictionTest, DropsEventsOnlyWhenNoReadingIsLeftAndNeverStartedNorTheReports) {
  open();
  fill(1000);
  for (int i = 0; i < 9000; ++i) {
    append(event("x" + std::string(1000, 'e')));
    if (i % 100 == 99) run();
  }
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
  const auto events = bodies(Lane::kEvents);
  EXPECT_EQ(events.front(), "started");
  EXPECT_THAT(told(), ElementsAre("dropped e1 readings 1-1000 (1000)", ::testing::StartsWith("dropped e1 events 2-")));
  EXPECT_EQ(store_->state().lanes[2].dropped, 9003 - static_cast<std::int64_t>(bodies(Lane::kEvents).size()));
}

TEST_F(EvictionTest, NeverDropsResultsOrOpenCommandsAndRefusesReadingsInstead) {
  open();
  int results = 0;
  while (!store_->only_reserve_left() && results < 3000) {
    append(result(std::string(10000, 'r')));
    ++results;
  }
  ASSERT_TRUE(store_->only_reserve_left());
  fill(100);
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
  EXPECT_EQ(store_->state().readings_lost, 100);
  EXPECT_EQ(bodies(Lane::kResults).size(), static_cast<std::size_t>(results));

  // Room again: what was lost is told once.
  deliver(Lane::kResults, rows(Lane::kResults).back().key);
  append_committed(reading("again"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("again"));
  EXPECT_FALSE(store_->only_reserve_left());
  EXPECT_THAT(bodies(Lane::kEvents), ElementsAre("started", "lost 100 of 1 meters"));
}

TEST_F(EvictionTest, TakesRejectedCommandsIntoTheReserveAndThenNoneButKeepsTheAnswersOfOpenOnes) {
  open();
  const std::int64_t open_command = admit("open").key;
  for (int i = 0; i < 3000 && !store_->only_reserve_left(); ++i) append(result(std::string(10000, 'r')));
  ASSERT_TRUE(store_->only_reserve_left());
  int rejected = 0;
  Status refused;
  while (refused && rejected < 5000) {
    auto admitted =
        store_->admit(command("c" + std::to_string(rejected)), result("store_full" + std::string(900, ' ')));
    if (admitted) {
      ++rejected;
    } else {
      refused = admitted.error();
    }
  }
  EXPECT_GT(rejected, 50);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kFull);
  EXPECT_EQ(store_->state().commands_without_room, 1);
  // A known one is known all the same, and the open one gets its result.
  EXPECT_EQ(admit("c0").known, Known::kDone);
  store_->complete(open_command, result("the answer"));
  EXPECT_EQ(bodies(Lane::kResults).back(), "the answer");
  EXPECT_LE(folder_.bytes(), kCap);
}

/// Everything but the last reserve is taken by results that wait, and that by rejected commands.
class NoRoomTest : public EvictionTest {
 protected:
  void fill_all() {
    for (int i = 0; i < 3000 && !store_->only_reserve_left(); ++i) append(result(std::string(10000, 'r')));
    ASSERT_TRUE(store_->only_reserve_left());
    int i = 0;
    while (store_->admit(command("full" + std::to_string(i)), result(std::string(900, 'x')))) ++i;
    ASSERT_EQ(store_->state().commands_without_room, 1);
    refused_ = "full" + std::to_string(i);
  }
  void make_room() { deliver(Lane::kResults, 1 << 30); }
  std::vector<std::string> reports() {
    std::vector<std::string> found;
    for (const std::string& body : bodies(Lane::kEvents)) {
      if (body.rfind("refused", 0) == 0 || body.rfind("lost", 0) == 0) found.push_back(body);
    }
    return found;
  }
  std::string refused_;
};

TEST_F(NoRoomTest, CountsARefusedCommandDurablyAndTellsItWhenThereIsRoom) {
  open();
  fill_all();
  EXPECT_EQ(store_->admit(command("c1"), std::nullopt).error().code, Errc::kFull);
  EXPECT_THAT(reports(), IsEmpty());
  crash();
  open();
  pass(std::chrono::minutes(2));
  EXPECT_THAT(reports(), IsEmpty()) << "there is no room yet";
  make_room();
  EXPECT_THAT(reports(), ElementsAre("refused 2 " + refused_ + " c1"));
  restart();
  pass(std::chrono::minutes(2));
  EXPECT_EQ(reports().size(), 1u) << "told twice";
}

TEST_F(NoRoomTest, TellsReadingsLostBeforeAStopAtTheNextStartWithRoom) {
  open();
  fill_all();
  fill(100);
  ASSERT_EQ(store_->state().readings_lost, 100);
  restart();
  make_room();
  EXPECT_THAT(reports(), ElementsAre("lost 100 of 1 meters", "refused 1 " + refused_));
}

TEST_F(NoRoomTest, TellsAtAStartWithRoomWithoutWaitingForAnythingElse) {
  open();
  fill_all();
  close();
  settings_.max_bytes = 2 * kCap;
  open();
  run();
  EXPECT_THAT(reports(), ElementsAre("refused 1 " + refused_));
}

TEST_F(NoRoomTest, TellsAtMostOnceAMinuteAndTheRestAtAStop) {
  open();
  const auto lose_ten = [&] {
    for (int i = 0; i < 3000 && !store_->only_reserve_left(); ++i) append(result(std::string(10000, 'r')));
    fill(10);
    make_room();
    append_committed(reading("x"));
  };
  lose_ten();
  EXPECT_THAT(reports(), ElementsAre("lost 10 of 1 meters"));
  deliver(Lane::kEvents, 1 << 30);
  lose_ten();
  lose_ten();
  EXPECT_THAT(reports(), Not(::testing::Contains("lost 20 of 1 meters")));
  restart();
  EXPECT_EQ(reports().back(), "lost 20 of 1 meters");
}

TEST_F(NoRoomTest, ShowsWhatWasLostInAStoreThatNoAgentHasOpen) {
  open();
  fill_all();
  fill(100);
  close();
  auto file = StoreFile::open(settings_);
  ASSERT_TRUE(file) << file.error().detail;
  const auto losses = (*file)->losses();
  ASSERT_TRUE(losses);
  EXPECT_EQ(losses->readings_lost, 100);
  EXPECT_EQ(losses->commands_refused, 1);
}

TEST_F(EvictionTest, KeepsIdsAndResultsOfDoneCommandsWhenOtherDeliveredRecordsHaveToGo) {
  open();
  for (int i = 0; i < 100; ++i) store_->complete(admit("c" + std::to_string(i)).key, result("answer"));
  deliver(Lane::kResults, rows(Lane::kResults).back().key);
  fill(9000);
  ASSERT_GT(dropped(), 0);
  const Admission again = admit("c0");
  EXPECT_EQ(again.known, Known::kDone);
  EXPECT_TRUE(again.result);
}

TEST_F(EvictionTest, ForgetsTheOldestDoneCommandsWhenTheyTakeMoreThanAQuarter) {
  open();
  for (int i = 0; i < 400; ++i) {
    store_->complete(admit("c" + std::to_string(i)).key, result(std::string(10000, 'a')));
    deliver(Lane::kResults, 1 << 30);
  }
  const std::int64_t known = store_->state().known_commands;
  EXPECT_LE(known, kCap / 4 / 10000);
  EXPECT_GT(known, kCap / 4 / 10000 - 20);
  EXPECT_EQ(admit("c399").known, Known::kDone);
  EXPECT_EQ(admit("c0").known, Known::kNew);
}

TEST_F(EvictionTest, LetsDeadLettersGoBeforeUndeliveredRecordsButTheNewestHundred) {
  open();
  for (int i = 0; i < 900; ++i) {
    store_->dead_letter("t", "no command", std::string(4096, 'x'), clock_.utc());
    if (i % 50 == 49) pass(settings_.commit_every);
  }
  fill(2500);
  EXPECT_EQ(dropped(), 0);
  EXPECT_EQ(store_->state().dead_letters, 100);
}

TEST_F(EvictionTest, ShrinksItsFileWhenTheCapWasLowered) {
  settings_.max_bytes = 16 << 20;
  open();
  fill(10000);
  ASSERT_GT(folder_.bytes(), kCap);
  close();
  settings_.max_bytes = kCap;
  open();
  pass(std::chrono::minutes(2));
  EXPECT_LE(folder_.bytes(), kCap);
  EXPECT_GT(dropped(), 1000);
  EXPECT_GT(kinds()['h'], 3000);
}

}  // namespace
}  // namespace metergate
