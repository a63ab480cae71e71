#include "agent/uplink/refused_lanes.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace metergate {
namespace {

using namespace std::chrono_literals;

SourceSet only(std::initializer_list<Source> sources) {
  SourceSet set;
  for (const Source source : sources) set.set(index_of(source));
  return set;
}

class RefusedLanesTest : public ::testing::Test {
 protected:
  const SourceSet none;
  const SourceSet results = only({Source::kResults});
  const SourceSet both = only({Source::kResults, Source::kEvents});
  /// As after three losses with results and events in flight, and one with results alone.
  void refuse_results() {
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(refused.lost(both, now));
    refused.acked(Source::kEvents, now);
    EXPECT_EQ(refused.lost(results, now), Source::kResults);
  }
  MonoTime now{1h};
  RefusedLanes refused;
};

TEST_F(RefusedLanesTest, AllowsEverythingAfterTwoLossesWithoutProgress) {
  refused.lost(both, now);
  refused.lost(both, now);
  EXPECT_TRUE(refused.allows(Source::kReadings, results, now));
  EXPECT_FALSE(refused.lost(results, now)) << "the third loss refuses nothing by itself";
}

TEST_F(RefusedLanesTest, AllowsOneMessageAtATimeAfterThreeLosses) {
  for (int i = 0; i < 3; ++i) refused.lost(both, now);
  EXPECT_FALSE(refused.allows(Source::kReadings, results, now));
  EXPECT_TRUE(refused.allows(Source::kReadings, none, now));
}

TEST_F(RefusedLanesTest, RefusesTheSourceThatWasAloneInFlightAtTheFourthLoss) {
  refuse_results();
  EXPECT_TRUE(refused.refused(Source::kResults));
  EXPECT_FALSE(refused.refused(Source::kEvents));
}

TEST_F(RefusedLanesTest, CountsLossesOnlyWithoutProgressInBetween) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(refused.lost(results, now));
    refused.acked(Source::kResults, now);
  }
  EXPECT_TRUE(refused.allows(Source::kReadings, results, now));
}

TEST_F(RefusedLanesTest, TriesWhatIsRefusedAloneAtPausesThatDoubleFrom10sUpToAnHour) {
  refuse_results();
  std::vector<std::int64_t> seconds;
  for (int i = 0; i < 12; ++i) {
    seconds.push_back((refused.next_try() - now) / 1s);
    EXPECT_FALSE(refused.allows(Source::kResults, none, refused.next_try() - 1ns));
    now = refused.next_try();
    EXPECT_TRUE(refused.allows(Source::kResults, none, now));
    EXPECT_FALSE(refused.allows(Source::kResults, only({Source::kEvents}), now)) << "alone";
    EXPECT_FALSE(refused.allows(Source::kReadings, none, now)) << "room is made for the try";
    EXPECT_FALSE(refused.lost(results, now)) << "it is refused already";
  }
  EXPECT_EQ(seconds, (std::vector<std::int64_t>{10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600}));
}

TEST_F(RefusedLanesTest, LetsTheOthersGoOnBetweenTheTries) {
  refuse_results();
  EXPECT_TRUE(refused.allows(Source::kReadings, none, now));
  EXPECT_TRUE(refused.allows(Source::kEvents, only({Source::kReadings}), now));
}

TEST_F(RefusedLanesTest, EndsWithTheFirstPuback) {
  refuse_results();
  EXPECT_TRUE(refused.acked(Source::kResults, now));
  EXPECT_FALSE(refused.refused(Source::kResults));
  EXPECT_EQ(refused.next_try(), MonoTime::max());
  EXPECT_FALSE(refused.acked(Source::kResults, now)) << "only the first ends anything";
}

TEST_F(RefusedLanesTest, MakesNoRoomForATryThatHasNothingToSend) {
  refuse_results();
  now = refused.next_try();
  refused.idle(Source::kResults, now);
  EXPECT_TRUE(refused.allows(Source::kReadings, none, now));
  EXPECT_EQ(refused.next_try(), now + 10s);
}

TEST_F(RefusedLanesTest, BlamesNobodyWhereTheBrokerTakesNothingAtAll) {
  for (int i = 0; i < 20; ++i) {
    for (const Source source : kAllSources) EXPECT_FALSE(refused.lost(only({source}), now));
  }
  for (const Source source : kAllSources) EXPECT_FALSE(refused.refused(source));
}

TEST_F(RefusedLanesTest, LetsTheOthersGoFirstAfterALossThatShowsNothing) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(refused.lost(results, now));
  EXPECT_FALSE(refused.allows(Source::kResults, none, now));
  EXPECT_TRUE(refused.allows(Source::kEvents, none, now));
  refused.acked(Source::kEvents, now);
  EXPECT_TRUE(refused.allows(Source::kResults, none, now));
  EXPECT_EQ(refused.lost(results, now), Source::kResults);
}

TEST_F(RefusedLanesTest, LetsItGoAgainWhereNobodyElseHasAnything) {
  for (int i = 0; i < 4; ++i) refused.lost(results, now);
  EXPECT_TRUE(refused.step_forward());
  EXPECT_TRUE(refused.allows(Source::kResults, none, now));
  EXPECT_FALSE(refused.step_forward());
}

TEST_F(RefusedLanesTest, TriesTheOthersAtOnceWhenTheBrokerTakesOneAgain) {
  refuse_results();
  const SourceSet catalog = only({Source::kCatalog});
  for (int i = 0; i < 4; ++i) refused.lost(catalog, now);
  refused.acked(Source::kEvents, now);
  ASSERT_EQ(refused.lost(catalog, now), Source::kCatalog);
  now += 1s;
  refused.acked(Source::kCatalog, now);
  EXPECT_TRUE(refused.allows(Source::kResults, none, now));
}

TEST_F(RefusedLanesTest, TriesAtOnceWhenTheBrokerMayBeAnother) {
  refuse_results();
  refused.broker_changed(now);
  EXPECT_TRUE(refused.allows(Source::kResults, none, now));
}

}  // namespace
}  // namespace metergate
