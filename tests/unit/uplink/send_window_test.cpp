#include "agent/uplink/send_window.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

/// A link that takes `rate` bytes a second: the window is filled and acknowledged as a whole, many times.
std::size_t window_after(double rate, int rounds) {
  SendWindow window;
  for (int i = 0; i < rounds; ++i) {
    const auto took = Nanos{static_cast<Nanos::rep>(static_cast<double>(window.bytes()) / rate * 1e9)};
    window.acked(window.bytes(), took);
  }
  return window.bytes();
}

TEST(SendWindowTest, SettlesAtWhatTheLinkTakesInASecond) {
  for (const double rate : {10e3, 100e3, 1e6}) {
    EXPECT_GE(static_cast<double>(window_after(rate, 50)), rate * 0.95) << rate;
    EXPECT_LE(static_cast<double>(window_after(rate, 50)), rate * 1.05) << rate;
  }
}

TEST(SendWindowTest, NeverLeavesItsBounds) {
  EXPECT_EQ(window_after(1, 50), SendWindow::kLeast);
  EXPECT_EQ(window_after(1e12, 50), SendWindow::kMost);
}

TEST(SendWindowTest, AtMostDoublesWithOneMessage) {
  SendWindow window;
  window.acked(1 << 20, 1ms);
  EXPECT_EQ(window.bytes(), 2 * SendWindow::kLeast);
}

TEST(SendWindowTest, IsOpenedByNoMessageThatIsSmall) {
  SendWindow window;
  window.acked(100, 200ms);  // 500 bytes a second were seen, not that there is no more
  EXPECT_EQ(window.bytes(), SendWindow::kLeast);
}

TEST(SendWindowTest, ShrinksWhenTheLinkGetsSlower) {
  SendWindow window;
  for (int i = 0; i < 20; ++i) window.acked(window.bytes(), 100ms);
  const std::size_t before = window.bytes();
  window.acked(before, 4s);
  EXPECT_LT(window.bytes(), before * 3 / 4);
}

TEST(SendWindowTest, BeginsAtTheLeastOnTheNextConnection) {
  SendWindow window;
  for (int i = 0; i < 20; ++i) window.acked(window.bytes(), 100ms);
  window.lost();
  EXPECT_EQ(window.bytes(), SendWindow::kLeast);
}

}  // namespace
}  // namespace metergate
