#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordTest : public StoreTest {};

TEST_F(RecordTest, KeepsAReadingAcrossARestartOnceItsCommitTimeHasPassed) {
  open();
  append(reading("a"));
  pass(settings_.commit_every);
  crash();
  open();
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RecordTest, LetsReadingsWaitForTheirCommitButNotLonger) {
  open();
  append(reading("a"));
  pass(settings_.commit_every - Millis{1});
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
  pass(Millis{1});
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RecordTest, CommitsAnEventAtOnceAndTheWaitingReadingsWithIt) {
  open();
  append(reading("a"));
  append(event("bus_down"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
  EXPECT_THAT(bodies(Lane::kEvents), ElementsAre("started", "bus_down"));
}

TEST_F(RecordTest, TellsOfEveryCommitWithNewRecordsAndOfNoOther) {
  open();
  append(event("bus_down"));
  EXPECT_EQ(commits_told_, 1);
  deliver(Lane::kEvents, 1);
  EXPECT_EQ(commits_told_, 1);
}

TEST_F(RecordTest, CommitsWhatWasHandedOverWhenItIsClosed) {
  open();
  append(reading("a"));
  restart();
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RecordTest, LosesAReadingThatNoCommitCovered) {
  open();
  append(reading("a"));
  crash();
  open();
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
}

TEST_F(RecordTest, NumbersEachLaneFromOneWithoutAGapInEveryEpoch) {
  open();
  append(event("x"));
  append(reading("a"));
  append(reading("b", false));
  append(reading("c"));
  restart();
  append(reading("d"));
  append(event("y"));
  std::vector<std::string> ids;
  for (const Lane lane : {Lane::kReadings, Lane::kEvents}) {
    for (const Row& row : rows(lane)) ids.push_back(row.bytes);
  }
  EXPECT_THAT(ids, ElementsAre("e1/readings/1 a", "e1/readings/2 b", "e1/readings/3 c", "e2/readings/1 d",
                               "e1/events/1 started", "e1/events/2 x", "e2/events/1 started", "e2/events/2 y"));
}

TEST_F(RecordTest, MakesStartedTheFirstEventOfAnEpochOrNoEpochAtAll) {
  open();
  close();
  {
    auto opened = try_open();  // dies before begin()
    ASSERT_TRUE(opened);
  }
  open();
  ASSERT_TRUE(store_->opened().previous);
  EXPECT_EQ(store_->opened().previous->epoch, "e1");
  EXPECT_EQ(*store_->knows_epoch("e1"), true);
  EXPECT_EQ(*store_->knows_epoch("e3"), false);
}

TEST_F(RecordTest, TellsTheLastNumbersOfThePreviousEpochThoughItsRecordsAreGone) {
  settings_.keep_sent = Millis{0};
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kNew);
  EXPECT_FALSE(store_->opened().previous);
  for (int i = 0; i < 5; ++i) append(reading("r"));
  append_committed(event("x"));
  for (const Lane lane : kAllLanes) deliver(lane, 1000);
  pass(std::chrono::hours(1));
  ASSERT_THAT(bodies(Lane::kReadings), IsEmpty());
  crash();
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
  ASSERT_TRUE(store_->opened().previous);
  EXPECT_EQ(store_->opened().previous->epoch, "e1");
  EXPECT_THAT(store_->opened().previous->numbers.last, ElementsAre(5, 0, 2));
}

TEST_F(RecordTest, NeverGivesAKeyTwiceThoughItsRecordIsGone) {
  settings_.keep_sent = Millis{0};
  open();
  append_committed(reading("a"));
  const std::int64_t key = rows(Lane::kReadings).back().key;
  for (const Lane lane : kAllLanes) deliver(lane, 1000);
  pass(std::chrono::hours(1));
  crash();
  open();
  append_committed(reading("b"));
  EXPECT_GT(rows(Lane::kReadings).back().key, key);
}

TEST_F(RecordTest, HandsOutTheSameBytesAgainByKey) {
  open();
  append(reading("a"));
  append_committed(event("x"));
  const Row row = rows(Lane::kReadings).back();
  deliver(Lane::kReadings, row.key);
  restart();
  const auto again = store_->fetch({row.key, 4711});
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), 1u);
  EXPECT_EQ(again->at(0).bytes, row.bytes);
  EXPECT_EQ(again->at(0).lane, Lane::kReadings);
}

TEST_F(RecordTest, PeeksAtMostSoManyRowsAndBytesButAtLeastOne) {
  open();
  for (int i = 0; i < 10; ++i) append(reading(std::string(1000, 'x')));
  append_committed(reading("last"));
  EXPECT_EQ(store_->peek(Lane::kReadings, 0, 3, 1 << 20)->rows.size(), 3u);
  EXPECT_EQ(store_->peek(Lane::kReadings, 0, 100, 2500)->rows.size(), 2u);
  EXPECT_EQ(store_->peek(Lane::kReadings, 0, 100, 1)->rows.size(), 1u);
  EXPECT_EQ(store_->peek(Lane::kReadings, 0, 100, 1 << 20)->rows.size(), 11u);
}

TEST_F(RecordTest, StartsSendingBehindWhatWasDelivered) {
  open();
  append(reading("a"));
  append_committed(reading("b"));
  const std::int64_t first = rows(Lane::kReadings).front().key;
  deliver(Lane::kReadings, first);
  restart();
  EXPECT_EQ(*store_->delivered_key(Lane::kReadings), first);
  EXPECT_THAT(bodies(Lane::kReadings, first), ElementsAre("b"));
  EXPECT_EQ(store_->state().lanes[0].waiting, 1);
}

TEST_F(RecordTest, CountsWhatWaitsTheSameBeforeAndAfterACrash) {
  open();
  for (int i = 0; i < 20; ++i) append(reading("r", i % 3 == 0));
  pass(settings_.commit_every);
  deliver(Lane::kReadings, rows(Lane::kReadings)[6].key);
  for (int i = 0; i < 4; ++i) append(reading("r"));
  pass(settings_.commit_every);
  EXPECT_EQ(store_->state().lanes[0].waiting, 17);
  EXPECT_EQ(store_->state().lanes[0].delivered, 7);
  EXPECT_EQ(store_->state().lanes[0].oldest_ms, 1700000000000);
  crash();
  open();
  EXPECT_EQ(store_->state().lanes[0].waiting, 17);
  EXPECT_EQ(store_->state().lanes[2].waiting, 2);
}

TEST_F(RecordTest, GivesBackAValueThatWasPutAlsoBeforeItIsCommitted) {
  open();
  EXPECT_FALSE(*store_->get("main.serial"));
  store_->put_later("main.serial", "123");
  EXPECT_EQ(*store_->get("main.serial"), "123");
  ASSERT_TRUE(store_->put("main.energy", std::string("\0\x01", 2)));
  crash();
  open();
  EXPECT_EQ(*store_->get("main.serial"), "123");
  EXPECT_EQ(*store_->get("main.energy"), std::string("\0\x01", 2));
}

TEST_F(RecordTest, TakesAnyNumberOfValuesOverTime) {
  open();
  for (int i = 0; i < 12000; ++i) {
    store_->put_later("k" + std::to_string(i), std::to_string(i));
    if (i % 6000 == 5999) pass(settings_.commit_every);
  }
  EXPECT_EQ(store_->state().shed, 0);
  EXPECT_EQ(*store_->get("k11999"), "11999");
}

TEST_F(RecordTest, GivesBackTheNewestValueAlsoAfterACommitThatFailed) {
  bool fails = false;
  WatchedVfs vfs("failing");
  vfs.judge = [&](const FileOperation& operation) {
    const bool failed = fails && operation.kind == FileOperation::Kind::kSync;
    return failed ? WatchedVfs::Verdict::kFails : WatchedVfs::Verdict::kDone;
  };
  settings_.vfs = "failing";
  open();
  ASSERT_TRUE(store_->put("key", "old"));
  fails = true;
  store_->put_later("key", "new");
  pass(settings_.commit_every);
  ASSERT_EQ(store_->state().failed_commits, 1);
  fails = false;
  clock_.advance(std::chrono::minutes(1));
  const auto value = store_->get("key");
  ASSERT_TRUE(value) << value.error().detail;
  EXPECT_EQ(*value, "new");
  restart();
  EXPECT_EQ(*store_->get("key"), "new");
  store_.reset();  // before its VFS
}

TEST_F(RecordTest, TellsTheCatalogsOfWaitingRecordsAndThePresentOneLast) {
  open();
  ASSERT_TRUE(store_->add_catalog("aaaaaaaa", "A"));
  append_committed(reading("under A"));
  const std::int64_t under_a = rows(Lane::kReadings).back().key;
  ASSERT_TRUE(store_->add_catalog("bbbbbbbb", "B"));
  append_committed(reading("under B"));
  ASSERT_TRUE(store_->add_catalog("cccccccc", "C"));
  ASSERT_TRUE(store_->add_catalog("cccccccc", "C"));
  EXPECT_THAT(*store_->catalogs_waiting(), ElementsAre("aaaaaaaa", "bbbbbbbb", "cccccccc"));
  deliver(Lane::kReadings, under_a);
  EXPECT_THAT(*store_->catalogs_waiting(), ElementsAre("bbbbbbbb", "cccccccc"));
  deliver(Lane::kReadings, 1000);
  EXPECT_THAT(*store_->catalogs_waiting(), ElementsAre("cccccccc"));
  EXPECT_EQ(*store_->catalog("aaaaaaaa"), "A");
  EXPECT_EQ(*store_->catalog("dddddddd"), std::nullopt);
}

TEST_F(RecordTest, LetsACatalogGoOnlyWithTheRecordsTakenUnderIt) {
  settings_.keep_sent = Millis{0};
  open();
  ASSERT_TRUE(store_->add_catalog("aaaaaaaa", "A"));
  append_committed(reading("under A"));
  ASSERT_TRUE(store_->add_catalog("bbbbbbbb", "B"));
  append_committed(reading("under B"));
  deliver(Lane::kReadings, rows(Lane::kReadings).front().key);
  pass(std::chrono::hours(1));
  ASSERT_TRUE(store_->add_catalog("cccccccc", "C"));
  EXPECT_EQ(*store_->catalog("aaaaaaaa"), std::nullopt);
  EXPECT_EQ(*store_->catalog("bbbbbbbb"), "B");
}

TEST_F(RecordTest, TakesCallsBeforeTheEpochBegins) {
  auto opened = try_open();
  ASSERT_TRUE(opened);
  store_ = std::move(*opened);
  ASSERT_TRUE(store_->add_catalog("aaaaaaaa", "A"));
  ASSERT_TRUE(store_->put("k", "v"));
  EXPECT_EQ(*store_->get("k"), "v");
  begin("e1");
  EXPECT_THAT(*store_->catalogs_waiting(), ElementsAre("aaaaaaaa"));
}

TEST_F(RecordTest, RefusesCallsAfterItWasClosedInsteadOfWaiting) {
  open();
  ASSERT_TRUE(store_->finish());
  EXPECT_EQ(store_->peek(Lane::kReadings, 0, 1, 1).error().code, Errc::kStorage);
  EXPECT_EQ(store_->admit(command("c1"), std::nullopt).error().code, Errc::kStorage);
  append(reading("late"));
  EXPECT_EQ(store_->step(clock_.mono()), MonoTime::max());
}

}  // namespace
}  // namespace metergate
