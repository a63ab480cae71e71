#include "agent/uplink/receipt_timeout.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class ReceiptTimeoutTest : public ::testing::Test {
 protected:
  /// What goes out when it is due, one record a message; empty: nothing.
  std::pair<std::int64_t, std::int64_t> window() {
    if (!receipt_timeout.due(now)) return {0, 0};
    const std::int64_t first = receipt_timeout.span(now).after + 1;
    std::int64_t last = 0;
    while (receipt_timeout.due(now)) receipt_timeout.sent(last = receipt_timeout.span(now).after + 1, now);
    return {first, last};
  }
  /// Until the next window goes out.
  MonoTime::duration pause() {
    const auto pause = receipt_timeout.next() - now;
    now += pause;
    return pause;
  }
  using Range = std::pair<std::int64_t, std::int64_t>;

  MonoTime now{1h};
  ReceiptTimeout receipt_timeout{60s, 4};
};

TEST_F(ReceiptTimeoutTest, ResendsNothingWhileNothingWaits) {
  receipt_timeout.track(0, 0, now);
  receipt_timeout.track(7, 7, now);
  EXPECT_EQ(receipt_timeout.next(), MonoTime::max());
}

TEST_F(ReceiptTimeoutTest, SendsTheOldestWindowWhenNoReceiptCameForTheTimeout) {
  receipt_timeout.track(2, 10, now);
  now += 60s - 1ns;
  EXPECT_EQ(window(), Range(0, 0));
  now += 1ns;
  EXPECT_EQ(window(), Range(3, 6));
}

TEST_F(ReceiptTimeoutTest, WaitsTheWholeTimeoutAgainWhenAReceiptMovesTheLane) {
  receipt_timeout.track(2, 10, now);
  now += 59s;
  receipt_timeout.track(5, 10, now);
  EXPECT_EQ(receipt_timeout.next(), now + 60s);
}

TEST_F(ReceiptTimeoutTest, IsNotPutOffByRecordsThatTheBrokerAcknowledgesMeanwhile) {
  receipt_timeout.track(0, 1, now);
  now += 59s;
  receipt_timeout.track(0, 50, now);
  now += 1s;
  EXPECT_EQ(window(), Range(1, 4));
}

TEST_F(ReceiptTimeoutTest, SendsTheNextWindowAtOnceWhenAReceiptCoversTheLast) {
  receipt_timeout.track(0, 10, now);
  pause();
  EXPECT_EQ(window(), Range(1, 4));
  receipt_timeout.track(4, 10, now);
  EXPECT_EQ(window(), Range(5, 8));
  receipt_timeout.track(9, 10, now);
  EXPECT_EQ(window(), Range(10, 10));
}

TEST_F(ReceiptTimeoutTest, SendsTheSameWindowAtPausesThatDoubleUpToAnHourWhileNoneDoes) {
  receipt_timeout.track(0, 10, now);
  pause();
  std::vector<std::int64_t> minutes;
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(window(), Range(1, 4));
    minutes.push_back(pause() / 1min);
  }
  EXPECT_EQ(minutes, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 60, 60, 60}));
}

TEST_F(ReceiptTimeoutTest, BeginsWithTheShortestPauseAfterAReceipt) {
  receipt_timeout.track(0, 10, now);
  for (int i = 0; i < 5; ++i) {
    pause();
    window();
  }
  receipt_timeout.track(1, 10, now);
  EXPECT_EQ(pause(), 60s);
  EXPECT_EQ(window(), Range(2, 5));
  EXPECT_EQ(pause(), 60s);
}

TEST_F(ReceiptTimeoutTest, IsNotKeptGoingByReceiptsThatAreOnTheirWay) {
  receipt_timeout.track(0, 2, now);
  pause();
  EXPECT_EQ(window(), Range(1, 2));
  receipt_timeout.track(2, 4, now);
  EXPECT_EQ(window(), Range(0, 0)) << "3 and 4 were acknowledged a moment ago";
  EXPECT_EQ(receipt_timeout.next(), now + 60s);
}

TEST_F(ReceiptTimeoutTest, GoesOnBehindAReceiptThatComesWhileTheWindowIsBeingSent) {
  receipt_timeout.track(0, 10, now);
  pause();
  receipt_timeout.sent(receipt_timeout.span(now).after + 1, now);
  receipt_timeout.track(3, 10, now);
  EXPECT_EQ(receipt_timeout.span(now).after, 3);
}

TEST_F(ReceiptTimeoutTest, SendsAWindowFromItsBeginningWhenTheConnectionIsLost) {
  receipt_timeout.track(0, 10, now);
  pause();
  window();
  receipt_timeout.lost();
  EXPECT_EQ(window(), Range(1, 4));
}

TEST_F(ReceiptTimeoutTest, LetsReceiptsThatWaitedAtTheBrokerComeFirst) {
  receipt_timeout.track(0, 10, now);
  now += 2h;
  receipt_timeout.hold(now + 2s);
  EXPECT_EQ(window(), Range(0, 0));
  now += 2s;
  EXPECT_EQ(window(), Range(1, 4));
}

}  // namespace
}  // namespace metergate
