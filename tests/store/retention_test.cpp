#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RetentionTest : public StoreTest {
 protected:
  RetentionTest() { settings_.keep_sent = hours(10); }
};

TEST_F(RetentionTest, KeepsADeliveredRecordForItsTimeAndNotMuchLonger) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  pass(hours(10) - minutes(1));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
  pass(hours(1));
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
}

TEST_F(RetentionTest, KeepsWhatIsNotDeliveredForEver) {
  open();
  append_committed(reading("a"));
  append_committed(reading("b"));
  deliver(Lane::kReadings, rows(Lane::kReadings).front().key);
  pass(hours(100));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("b"));
}

TEST_F(RetentionTest, CountsFromTheDeliveryNotFromTheMeasurement) {
  open();
  append_committed(reading("a"));
  pass(hours(20));
  deliver(Lane::kReadings, 1000);
  pass(hours(9));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RetentionTest, DoesNotCountAStepOfTheWallClock) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  clock_.step_utc(clock_.utc() + hours(24 * 365));
  pass(hours(1));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RetentionTest, AddsUpTheRunningTimeOfSeveralRuns) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  pass(hours(6));
  restart();
  clock_.advance(Nanos{0});
  pass(hours(3));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
  restart();
  pass(hours(2));
  EXPECT_THAT(bodies(Lane::kReadings), IsEmpty());
}

TEST_F(RetentionTest, LosesAtMostAMinuteOfRunningTimeInACrashWhileRecordsCome) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  for (int i = 0; i < 12; ++i) {
    for (int minute = 0; minute < 60; ++minute) {
      append(reading("r"));
      pass(minutes(1));
    }
    crash();
    open();
  }
  EXPECT_EQ(bodies(Lane::kReadings).front(), "r");
}

TEST_F(RetentionTest, DoesNotAgeWhileItIsSwitchedOff) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  close();
  clock_.advance(hours(1000));
  open();
  pass(hours(1));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(RetentionTest, KnowsADoneCommandForSevenDaysAfterItsResultWasDelivered) {
  open();
  store_->complete(admit("c1").key, result("answer"));
  pass(hours(24 * 8));
  deliver(Lane::kResults, 1000);
  pass(hours(24 * 7 - 1));
  const Admission again = admit("c1");
  EXPECT_EQ(again.known, Known::kDone);
  EXPECT_TRUE(again.result) << "its result went with --keep-sent";
  pass(hours(3));
  EXPECT_EQ(store_->state().known_commands, 0);
  EXPECT_THAT(bodies(Lane::kResults), IsEmpty());
}

TEST_F(RetentionTest, NeverForgetsAnOpenCommandNorOneWhoseResultWaits) {
  open();
  admit("open");
  store_->complete(admit("waiting").key, result("answer"));
  pass(hours(24 * 30));
  EXPECT_EQ(store_->state().known_commands, 2);
  EXPECT_THAT(bodies(Lane::kResults), ElementsAre("answer"));
}

TEST_F(RetentionTest, PurgesALotInPiecesThatLeaveTheWalSmall) {
  settings_.keep_sent = minutes(2);
  open();
  for (int i = 0; i < 20000; ++i) {
    append(reading(std::string(300, 'x')));
    if (i % 200 == 199) pass(settings_.commit_every);
  }
  deliver(Lane::kReadings, 1 << 30);
  pass(minutes(4));
  EXPECT_EQ(rows(Lane::kReadings).size(), 0u);
  std::int64_t wal = 0;
  for (const std::string& name : folder_.files()) {
    if (name == "store.db-wal") wal = static_cast<std::int64_t>(std::filesystem::file_size(folder_ / name));
  }
  EXPECT_LT(wal, 3 << 20);
}

}  // namespace
}  // namespace metergate
