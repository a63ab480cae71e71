#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>

#include "drivers/port/port.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

constexpr Nanos kChar = std::chrono::microseconds(1000);
constexpr Nanos kGap = std::chrono::microseconds(3500);

/// A clock that says bytes on the line at the times that they are planned for.
class TalkingClock : public FakeClock {
 public:
  void sleep_until(MonoTime t) const override {
    while (!planned.empty() && planned.begin()->first <= t) {
      FakeClock::sleep_until(planned.begin()->first);
      EXPECT_EQ(::write(fd, "x", 1), 1);
      planned.erase(planned.begin());
    }
    FakeClock::sleep_until(t);
  }
  mutable std::multimap<MonoTime, char> planned;
  int fd = -1;
};

class LinePort : public Port {
 public:
  LinePort(Fd fd, const Clock& clock) : Port(clock), end_(std::move(fd)) {}
  Status open() override {
    opened(std::move(end_));
    return {};
  }
  std::string name() const override { return "line"; }
  Nanos char_time() const override { return kChar; }
  Nanos frame_gap() const override { return kGap; }

 private:
  Fd end_;
};

class SettleTest : public ::testing::Test {
 protected:
  SettleTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    other_ = Fd(ends[1]);
    clock_.fd = ends[1];
    port_ = std::make_unique<LinePort>(Fd(ends[0]), clock_);
    EXPECT_TRUE(port_->open());
    start_ = clock_.mono();
  }
  void byte_at(Nanos after) { clock_.planned.emplace(start_ + after, 'x'); }
  /// How long it takes, from the last byte before it.
  Nanos settle(Nanos gap, Bytes strays = {}) {
    status_ = port_->settle(gap, &strays);
    taken_ = strays.size();
    return clock_.mono() - start_;
  }

  TalkingClock clock_;
  Fd other_;
  std::unique_ptr<LinePort> port_;
  MonoTime start_;
  Status status_;
  std::size_t taken_ = 0;
};

TEST_F(SettleTest, WaitsForTheFramesSilenceAndTheGap) {
  EXPECT_EQ(settle(Nanos{0}), kGap);
  EXPECT_TRUE(status_);
}

TEST_F(SettleTest, AddsTheGapToTheSilence) { EXPECT_EQ(settle(Millis{30}), kGap + Millis{30}); }

TEST_F(SettleTest, DoesNotWaitAgainAfterASilenceThatIsOver) {
  clock_.advance(Millis{10});
  EXPECT_EQ(settle(Nanos{0}), Millis{10});
}

/// USB adapters hand over every 16 ms: what is on its way comes within 20 ms.
TEST_F(SettleTest, WaitsTwentyMillisecondsAfterAStrayByte) {
  byte_at(Millis{1});
  EXPECT_EQ(settle(Nanos{0}), kGap + Millis{20});
  EXPECT_EQ(taken_, 1u);
}

TEST_F(SettleTest, WaitsTwentyMillisecondsWhereStraysWereFoundBefore) {
  EXPECT_EQ(settle(Nanos{0}, Bytes{7}), Millis{20});
  EXPECT_TRUE(status_);
}

TEST_F(SettleTest, BeginsTheSilenceAnewWithEachStrayByte) {
  byte_at(Millis{1});
  byte_at(Millis{20});
  EXPECT_EQ(settle(Nanos{0}), kGap + Millis{40});
  EXPECT_EQ(taken_, 2u);
}

/// 200 ms, the silence and a long frame of 300 characters.
TEST_F(SettleTest, GivesUpOnALineThatIsNeverSilent) {
  for (int i = 1; i < 1000; ++i) byte_at(Millis{i * 10 - 9});
  const Nanos took = settle(Nanos{0});
  ASSERT_FALSE(status_);
  EXPECT_EQ(status_.error().code, Errc::kGarbled);
  EXPECT_GT(took, kGap + Millis{500});
  EXPECT_LE(took, kGap + Millis{520});
}

}  // namespace
}  // namespace metergate
