#include "agent/uplink/turn_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace metergate {
namespace {

using ::testing::ElementsAre;

/// Who sends, one message after the other, if the given turns always have something to send.
std::vector<Turn> senders(TurnOrder& turns, const std::set<Turn>& ready, int messages) {
  std::vector<Turn> found;
  for (int i = 0; i < messages; ++i) {
    for (const Turn turn : turns.order()) {
      if (ready.count(turn) == 0) continue;
      found.push_back(turn);
      turns.sent(turn);
      break;
    }
  }
  return found;
}

TEST(TurnOrderTest, GivesReadingsEveryFourthMessageHoweverMuchElseThereIs) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kReadings, Turn::kResults, Turn::kEvents, Turn::kRepublish, Turn::kReplay}, 8),
              ElementsAre(Turn::kResults, Turn::kEvents, Turn::kRepublish, Turn::kReadings, Turn::kResults,
                          Turn::kEvents, Turn::kRepublish, Turn::kReadings));
}

TEST(TurnOrderTest, GivesReadingsTheirMessageAlsoBeforeStatusAndCatalogs) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kStatus, Turn::kCatalog, Turn::kReadings}, 5),
              ElementsAre(Turn::kStatus, Turn::kStatus, Turn::kStatus, Turn::kReadings, Turn::kStatus));
}

TEST(TurnOrderTest, SendsResultsAndEventsBeforeReadings) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kReadings, Turn::kEvents}, 1), ElementsAre(Turn::kEvents));
  EXPECT_THAT(senders(turns, {Turn::kReadings, Turn::kResults}, 1), ElementsAre(Turn::kResults));
}

TEST(TurnOrderTest, LetsResultsAndEventsTakeTurns) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kResults, Turn::kEvents}, 4),
              ElementsAre(Turn::kResults, Turn::kEvents, Turn::kResults, Turn::kEvents));
}

TEST(TurnOrderTest, LetsReadingsAndWhatIsResentTakeTurns) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kReadings, Turn::kResend}, 4),
              ElementsAre(Turn::kReadings, Turn::kResend, Turn::kReadings, Turn::kResend));
}

TEST(TurnOrderTest, ReplaysOnlyWhenNothingElseIsThere) {
  TurnOrder turns;
  EXPECT_THAT(senders(turns, {Turn::kReplay, Turn::kReadings}, 3),
              ElementsAre(Turn::kReadings, Turn::kReadings, Turn::kReadings));
  EXPECT_THAT(senders(turns, {Turn::kReplay, Turn::kResend}, 1), ElementsAre(Turn::kResend));
  EXPECT_THAT(senders(turns, {Turn::kReplay}, 2), ElementsAre(Turn::kReplay, Turn::kReplay));
}

TEST(TurnOrderTest, NamesEveryTurnOnce) {
  TurnOrder turns;
  for (int i = 0; i < 6; ++i) {
    const TurnOrder::Order order = turns.order();
    EXPECT_EQ(std::set<Turn>(order.begin(), order.end()).size(), order.size());
    turns.sent(Turn::kResults);
  }
}

}  // namespace
}  // namespace metergate
