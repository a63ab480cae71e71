#include "agent/uplink/resend.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class ResendTest : public ::testing::Test {
 protected:
  /// What goes out when it is due, one record a message; empty: nothing.
  std::pair<std::int64_t, std::int64_t> window() {
    if (!resend.due(now)) return {0, 0};
    const std::int64_t first = resend.span(now).after + 1;
    std::int64_t last = 0;
    while (resend.due(now)) resend.sent(last = resend.span(now).after + 1, now);
    return {first, last};
  }
  /// Until the next window goes out.
  MonoTime::duration pause() {
    const auto pause = resend.next() - now;
    now += pause;
    return pause;
  }
  using Range = std::pair<std::int64_t, std::int64_t>;

  MonoTime now{1h};
  Resend resend{60s, 4};
};

TEST_F(ResendTest, SendsNothingAgainWhileNothingWaits) {
  resend.track(0, 0, now);
  resend.track(7, 7, now);
  EXPECT_EQ(resend.next(), MonoTime::max());
}

TEST_F(ResendTest, SendsTheOldestWindowWhenNoReceiptCameForTheTimeout) {
  resend.track(2, 10, now);
  now += 60s - 1ns;
  EXPECT_EQ(window(), Range(0, 0));
  now += 1ns;
  EXPECT_EQ(window(), Range(3, 6));
}

TEST_F(ResendTest, WaitsTheWholeTimeoutAgainWhenAReceiptMovesTheLane) {
  resend.track(2, 10, now);
  now += 59s;
  resend.track(5, 10, now);
  EXPECT_EQ(resend.next(), now + 60s);
}

TEST_F(ResendTest, IsNotPutOffByRecordsThatTheBrokerAcknowledgesMeanwhile) {
  resend.track(0, 1, now);
  now += 59s;
  resend.track(0, 50, now);
  now += 1s;
  EXPECT_EQ(window(), Range(1, 4));
}

TEST_F(ResendTest, SendsTheNextWindowAtOnceWhenAReceiptCoversTheLast) {
  resend.track(0, 10, now);
  pause();
  EXPECT_EQ(window(), Range(1, 4));
  resend.track(4, 10, now);
  EXPECT_EQ(window(), Range(5, 8));
  resend.track(9, 10, now);
  EXPECT_EQ(window(), Range(10, 10));
}

TEST_F(ResendTest, SendsTheSameWindowAtPausesThatDoubleUpToAnHourWhileNoneDoes) {
  resend.track(0, 10, now);
  pause();
  std::vector<std::int64_t> minutes;
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(window(), Range(1, 4));
    minutes.push_back(pause() / 1min);
  }
  EXPECT_EQ(minutes, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 60, 60, 60}));
}

TEST_F(ResendTest, BeginsWithTheShortestPauseAfterAReceipt) {
  resend.track(0, 10, now);
  for (int i = 0; i < 5; ++i) {
    pause();
    window();
  }
  resend.track(1, 10, now);
  EXPECT_EQ(pause(), 60s);
  EXPECT_EQ(window(), Range(2, 5));
  EXPECT_EQ(pause(), 60s);
}

TEST_F(ResendTest, IsNotKeptGoingByReceiptsThatAreOnTheirWay) {
  resend.track(0, 2, now);
  pause();
  EXPECT_EQ(window(), Range(1, 2));
  resend.track(2, 4, now);
  EXPECT_EQ(window(), Range(0, 0)) << "3 and 4 were acknowledged a moment ago";
  EXPECT_EQ(resend.next(), now + 60s);
}

TEST_F(ResendTest, GoesOnBehindAReceiptThatComesWhileTheWindowIsBeingSent) {
  resend.track(0, 10, now);
  pause();
  resend.sent(resend.span(now).after + 1, now);
  resend.track(3, 10, now);
  EXPECT_EQ(resend.span(now).after, 3);
}

TEST_F(ResendTest, SendsAWindowFromItsBeginningWhenTheConnectionIsLost) {
  resend.track(0, 10, now);
  pause();
  window();
  resend.lost();
  EXPECT_EQ(window(), Range(1, 4));
}

TEST_F(ResendTest, LetsReceiptsThatWaitedAtTheBrokerComeFirst) {
  resend.track(0, 10, now);
  now += 2h;
  resend.hold(now + 2s);
  EXPECT_EQ(window(), Range(0, 0));
  now += 2s;
  EXPECT_EQ(window(), Range(1, 4));
}

}  // namespace
}  // namespace metergate
