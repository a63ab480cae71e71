#include "store/sqlite/quota.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

TEST(QuotaTest, KeepsDatabaseWalAndBallastTogetherUnderTheCap) {
  for (const std::int64_t cap : {8 * kMiB, 9 * kMiB, 64 * kMiB, 256 * kMiB, 2048 * kMiB}) {
    const Quota quota(cap);
    // The WAL is written back when it is full; the transaction after that may add twice as much. A frame of the WAL is
    // a page and 24 bytes.
    const std::int64_t wal = 3 * quota.wal_pages * (4096 + 24);
    const std::int64_t all = quota.pages * 4096 + wal + quota.ballast_bytes;
    EXPECT_LE(all, cap);
    EXPECT_GT(all, cap - 4096) << "the cap is not used";
    EXPECT_GE(quota.pages * 4096, cap * 2 / 5) << "too little is left for records";
  }
}

TEST(QuotaTest, GivesIdsAndResultsOfDoneCommandsAQuarterOfTheCap) {
  EXPECT_EQ(Quota(256 * kMiB).kept_bytes, 64 * kMiB);
  EXPECT_EQ(Quota(8 * kMiB).kept_bytes, 2 * kMiB);
}

TEST(QuotaTest, TakesACatalogOfASixteenthOfTheCap) { EXPECT_EQ(Quota(256 * kMiB).catalog_bytes, 16 * kMiB); }

TEST(QuotaTest, ReservesAnEighthOfThePagesButAtMostSixteenMebibytes) {
  EXPECT_EQ(Quota::reserve(800), 100);
  EXPECT_EQ(Quota::reserve(1 << 20) * 4096, 16 * kMiB);
}

TEST(QuotaTest, LeavesAQuarterOfTheReserveToTheResultsOfOpenCommands) {
  EXPECT_EQ(Quota::last_reserve(800), 25);
  EXPECT_EQ(Quota::last_reserve(1 << 20), 1024);
}

TEST(QuotaTest, WritesTheWalBackAfterAThirtySecondOfTheCapWithinBounds) {
  EXPECT_EQ(Quota(8 * kMiB).wal_pages, 64);
  EXPECT_EQ(Quota(16 * kMiB).wal_pages, 128);
  EXPECT_EQ(Quota(256 * kMiB).wal_pages, 250);
}

TEST(QuotaTest, GivesBackABallastThatHoldsTheWalTwice) {
  const Quota quota(256 * kMiB);
  EXPECT_EQ(quota.ballast_bytes, 2 * quota.wal_pages * 4096);
  EXPECT_EQ(quota.batch_bytes, quota.wal_pages * 4096 / 2);
}

}  // namespace
}  // namespace metergate
