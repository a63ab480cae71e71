#include "store/sqlite/retention.h"

#include "tests/unit/store/memory_store.h"

namespace metergate {
namespace {

using std::chrono::hours;
using Kind = Retention::Kind;

constexpr std::int64_t kHour = 3600000;
constexpr std::int64_t kDay = 24 * kHour;

class RetentionUnitTest : public MemoryStore {};

TEST_F(RetentionUnitTest, KeepsTheIdsOfDoneCommandsForExactlySevenDays) {
  Retention retention(connection_, hours(1));
  retention.note(Kind::kAnswers, 1000, 50);
  EXPECT_EQ(retention.passed(Kind::kAnswers, 1000 + 7 * kDay - 1), 0);
  EXPECT_EQ(retention.passed(Kind::kAnswers, 1000 + 7 * kDay), 50);
}

TEST_F(RetentionUnitTest, KeepsRecordsForExactlyTheTimeThatWasSet) {
  Retention retention(connection_, hours(720));
  for (const Kind kind : {Kind::kReadings, Kind::kResults, Kind::kEvents}) {
    retention.note(kind, 1000, 50);
    EXPECT_EQ(retention.passed(kind, 1000 + 30 * kDay - 1), 0);
    EXPECT_EQ(retention.passed(kind, 1000 + 30 * kDay), 50);
  }
}

TEST_F(RetentionUnitTest, NotesADeliveryAtMostOncePerPitch) {
  Retention retention(connection_, hours(64));
  EXPECT_EQ(retention.pitch(), hours(1));
  EXPECT_TRUE(retention.note(Kind::kReadings, 0, 10));
  EXPECT_FALSE(retention.note(Kind::kReadings, kHour - 1, 20));
  EXPECT_TRUE(retention.note(Kind::kReadings, kHour, 20));
  EXPECT_FALSE(retention.note(Kind::kReadings, 5 * kHour, 20)) << "nothing was delivered since";
  // Rounded to the later mark: never deleted too early.
  EXPECT_EQ(retention.passed(Kind::kReadings, 64 * kHour), 10);
  EXPECT_EQ(retention.passed(Kind::kReadings, 65 * kHour), 20);
}

TEST_F(RetentionUnitTest, HasAPitchOfASixtyFourthBetweenASecondAndAnHour) {
  EXPECT_EQ(Retention(connection_, Millis{1000}).pitch(), Millis{1000});
  EXPECT_EQ(Retention(connection_, std::chrono::minutes(64)).pitch(), std::chrono::minutes(1));
  EXPECT_EQ(Retention(connection_, hours(10000)).pitch(), hours(1));
}

TEST_F(RetentionUnitTest, GoesOnWithTheMarksOfEarlierRuns) {
  Retention(connection_, hours(10)).note(Kind::kEvents, 1000, 7);
  Retention later(connection_, hours(10));
  EXPECT_FALSE(later.note(Kind::kEvents, 1001, 8)) << "the pitch counts over runs";
  EXPECT_EQ(later.passed(Kind::kEvents, 1000 + 10 * kHour), 7);
}

TEST_F(RetentionUnitTest, NotesADeliveryAgainWhenItsTransactionWasRolledBack) {
  Retention retention(connection_, hours(10));
  connection_.begin();
  EXPECT_TRUE(retention.note(Kind::kEvents, 1000, 7));
  connection_.rollback();
  retention.load();
  EXPECT_TRUE(retention.note(Kind::kEvents, 1000, 7));
  EXPECT_EQ(retention.passed(Kind::kEvents, 1000 + 10 * kHour), 7);
}

TEST_F(RetentionUnitTest, KeepsKindsApart) {
  Retention retention(connection_, hours(10));
  retention.note(Kind::kReadings, 1000, 50);
  EXPECT_EQ(retention.passed(Kind::kResults, 1000 + 10 * kHour), 0);
  EXPECT_EQ(retention.passed(Kind::kEvents, 1000 + 10 * kHour), 0);
}

}  // namespace
}  // namespace metergate
