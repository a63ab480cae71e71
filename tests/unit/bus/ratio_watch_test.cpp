#include "agent/bus/ratio_watch.h"

#include <gtest/gtest.h>

#include "tests/fakes/one_bus.h"

namespace metergate {
namespace {

class RatioWatchTest : public ::testing::Test {
 protected:
  RatioWatchTest() {
    site_.poll(site_.meter("m1", 1), std::chrono::seconds(10), {"ct_ratio", "pt_ratio"});
    plan_.emplace(site_.bus, 0, unsupported_);
  }
  /// What changed when the meter answers these.
  std::vector<RatioWatch::Change> take(std::uint16_t ct, std::uint16_t pt) {
    PollJob job(site_.bus, 0, {{0, std::nullopt}}, unsupported_, *plan_, MonoTime{});
    while (const auto block = job.next()) {
      Words words;
      for (int i = 0; i < block->count; ++i) words.push_back(block->address + i == 500 ? ct : pt);
      job.answered(words, MonoTime{});
    }
    EXPECT_TRUE(watch_.answered_in(job));
    return watch_.take(job);
  }

  OneBus site_{"", "0", "ct_ratio = holding 500 u16 kind=state\npt_ratio = holding 501 u16 kind=state\n"};
  UnsupportedPoints unsupported_{site_.profile()};
  std::optional<MeterPlan> plan_;
  RatioWatch watch_{site_.profile()};
};

TEST_F(RatioWatchTest, WatchesTheRatiosThatTheProfileHas) {
  ASSERT_EQ(watch_.points().size(), 2u);
  EXPECT_EQ(watch_.points()[0]->name, "ct_ratio");
}

TEST_F(RatioWatchTest, TellsTheFirstAnswerAsAChangeFromNothing) {
  const auto changes = take(40, 1);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].from, "");
  EXPECT_EQ(changes[0].to, "40");
}

TEST_F(RatioWatchTest, TellsWhatDiffersFromTheLastAnswerAndNothingElse) {
  take(40, 1);
  EXPECT_TRUE(take(40, 1).empty());
  const auto changes = take(20, 1);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].point, "ct_ratio");
  EXPECT_EQ(changes[0].from, "40");
  EXPECT_EQ(changes[0].to, "20");
}

TEST_F(RatioWatchTest, GoesOnWithWhatItWrote) {
  take(40, 1);
  EXPECT_EQ(watch_.text(), " ct_ratio=40 pt_ratio=1");
  RatioWatch next(site_.profile());
  next.restore("ct_ratio", "40");
  next.restore("power", "7");
  EXPECT_EQ(next.text(), " ct_ratio=40");
}

}  // namespace
}  // namespace metergate
