#include "agent/run/watchdog.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "agent/base/fd.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class WatchdogTest : public testing::Test {
 protected:
  Watchdog make(std::optional<Micros> interval) {
    return Watchdog{{&bus_, &store_}, [this](const std::string& state) { said_.push_back(state); }, interval, log_};
  }
  /// Steps whenever the watchdog asks for it until so much time has passed.
  void run_for(Watchdog& watchdog, Nanos time) {
    const MonoTime end = clock_.mono() + time;
    while (clock_.mono() < end) {
      const MonoTime next = watchdog.step(clock_.mono());
      ASSERT_GT(next, clock_.mono());
      clock_.sleep_until(std::min(next, end));
    }
  }

  FakeClock clock_;
  Fd null_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::kError, LogFormat::kText, clock_, null_.get()};
  Heartbeat bus_{"bus rs485-1"}, store_{"store"};
  std::vector<std::string> said_;
};

TEST_F(WatchdogTest, TellsReadyAndStoppingAndThatItTakesLonger) {
  Watchdog watchdog = make({});
  watchdog.extend(30s);
  watchdog.ready();
  watchdog.stopping();
  EXPECT_THAT(said_, ElementsAre("EXTEND_TIMEOUT_USEC=30000000", "READY=1", "STOPPING=1"));
}

TEST_F(WatchdogTest, TellsSinceWhenItReloads) {
  Watchdog watchdog = make({});
  watchdog.reloading(MonoTime{12'345'678us});
  watchdog.ready();
  EXPECT_THAT(said_, ElementsAre("RELOADING=1\nMONOTONIC_USEC=12345678", "READY=1"));
}

TEST_F(WatchdogTest, TellsAStatusOnlyWhenItChangesAndAsOneLine) {
  Watchdog watchdog = make({});
  watchdog.status("3 meters");
  watchdog.status("3 meters");
  watchdog.status("4 meters\nREADY=1");
  EXPECT_THAT(said_, ElementsAre("STATUS=3 meters", "STATUS=4 meters READY=1"));
}

TEST_F(WatchdogTest, FeedsTheWatchdogAtHalfItsTime) {
  Watchdog watchdog = make(2s);
  run_for(watchdog, 3500ms);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"));  // at 0, 1, 2 and 3 s
}

TEST_F(WatchdogTest, FeedsNotEarlierWhenItIsCalledMoreOften) {
  Watchdog watchdog = make(2s);
  for (int i = 0; i < 10; ++i) {
    watchdog.step(clock_.mono());
    clock_.advance(10ms);
  }
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1"));
}

TEST_F(WatchdogTest, FeedsNothingWhileOneThreadHangs) {
  Watchdog watchdog = make(2s);
  store_.busy_until(clock_.mono() + 1500ms);
  run_for(watchdog, 10s);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1", "WATCHDOG=1"));  // at 0 and 1 s
}

TEST_F(WatchdogTest, FeedsAgainWithinASecondWhenTheThreadIsBack) {
  Watchdog watchdog = make(60s);
  bus_.busy_until(clock_.mono() - 1ns);
  const MonoTime next = watchdog.step(clock_.mono());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_LE(next, clock_.mono() + 1s);
  bus_.busy_until(clock_.mono() + 1h);
  watchdog.step(next);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1"));
}

TEST_F(WatchdogTest, TakesALongTransactionThatWasAnnouncedForNoHang) {
  Watchdog watchdog = make(2s);
  bus_.busy_until(clock_.mono() + 5s);
  run_for(watchdog, 5s);
  EXPECT_EQ(said_.size(), 5u);
}

TEST_F(WatchdogTest, TakesAThreadThatEndedAsItShouldForNoHang) {
  Watchdog watchdog = make(2s);
  bus_.ended();
  run_for(watchdog, 24h);
  EXPECT_EQ(said_.size(), 24u * 3600u);
}

TEST_F(WatchdogTest, FeedsNothingAfterAThreadFailed) {
  Watchdog watchdog = make(2s);
  bus_.failed();
  run_for(watchdog, 1min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(WatchdogTest, FeedsNothingWithoutAWatchdog) {
  Watchdog watchdog = make({});
  run_for(watchdog, 1min);
  EXPECT_THAT(said_, IsEmpty());
}

}  // namespace
}  // namespace metergate
