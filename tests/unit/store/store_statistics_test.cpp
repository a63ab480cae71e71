#include "store/sqlite/store_statistics.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

StoreSettings settings_of(std::int64_t max_bytes) {
  StoreSettings settings;
  settings.max_bytes = max_bytes;
  return settings;
}

class StoreStatisticsTest : public ::testing::Test {
 protected:
  const StoreSettings settings_ = settings_of(32 << 20);
  StoreStatistics statistics_{settings_};
};

TEST_F(StoreStatisticsTest, ShowsTheCapAndTheFailureWhileThereIsNoFile) {
  EXPECT_EQ(statistics_.state(nullptr, false).bytes_max, 32 << 20);
  EXPECT_TRUE(statistics_.state(nullptr, false).failing);
  EXPECT_FALSE(statistics_.state(nullptr, false).disk_full);
  EXPECT_TRUE(statistics_.state(nullptr, true).disk_full);
}

TEST_F(StoreStatisticsTest, SumsTheTimesOfAllCommitsAndCountsTheFailedOnesApart) {
  statistics_.commit_took(Micros{300}, true);
  statistics_.commit_took(Micros{500}, false);
  statistics_.commit_took(Micros{100}, true);
  const StoreState state = statistics_.state(nullptr, false);
  EXPECT_EQ(state.commits, 2);
  EXPECT_EQ(state.failed_commits, 1);
  EXPECT_EQ(state.commit_us_last, 100);
  EXPECT_EQ(state.commit_us_max, 500);
  EXPECT_EQ(state.commit_us_sum, 900);
}

TEST_F(StoreStatisticsTest, CountsHowOftenTheFileWasOpenedAgain) {
  statistics_.reopened();
  statistics_.reopened();
  EXPECT_EQ(statistics_.state(nullptr, false).reopened, 2);
}

}  // namespace
}  // namespace metergate
