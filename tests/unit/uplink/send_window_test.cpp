#include "agent/uplink/send_window.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKiB = 1024;

class SendWindowTest : public ::testing::Test {
 protected:
  /// The window after so many full ones, each acknowledged after `took`.
  std::size_t after(int times, Nanos took) {
    for (int i = 0; i < times; ++i) window.acked(window.bytes(), took);
    return window.bytes();
  }

  SendWindow window;
};

TEST_F(SendWindowTest, BeginsWith4KiB) { EXPECT_EQ(window.bytes(), 4 * kKiB); }

TEST_F(SendWindowTest, AtMostDoublesForEachQuickAcknowledgement) {
  EXPECT_EQ(after(1, 1ms), 8 * kKiB);
  EXPECT_EQ(after(1, 1ms), 16 * kKiB);
}

TEST_F(SendWindowTest, GrowsToWhatTheLinkTakesInASecond) {
  after(1, 1ms);
  window.acked(6 * kKiB, 500ms);
  EXPECT_EQ(window.bytes(), 12 * kKiB);
}

TEST_F(SendWindowTest, StaysWhereItIsWhenLittleWasQueued) {
  after(2, 1ms);
  window.acked(1 * kKiB, 500ms);
  EXPECT_EQ(window.bytes(), 16 * kKiB);
  window.acked(16 * kKiB, 1s);
  EXPECT_EQ(window.bytes(), 16 * kKiB);
}

TEST_F(SendWindowTest, GoesHalfWayToWhatASlowLinkTakesInASecond) {
  after(2, 1ms);
  window.acked(16 * kKiB, 2s);
  EXPECT_EQ(window.bytes(), 12 * kKiB);
}

TEST_F(SendWindowTest, KeepsItsBoundsWhateverTheLinkDoes) {
  EXPECT_EQ(after(40, 0ns), std::size_t{4} << 20);
  EXPECT_EQ(after(40, 100s), 4 * kKiB);
}

TEST_F(SendWindowTest, BeginsAnewOnTheNextConnection) {
  after(5, 1ms);
  window.lost();
  EXPECT_EQ(window.bytes(), 4 * kKiB);
}

}  // namespace
}  // namespace metergate
