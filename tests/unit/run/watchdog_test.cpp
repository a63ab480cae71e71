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
  Watchdog make(std::optional<Micros> watchdog) {
    return Watchdog{{&bus_, &store_}, [this](const std::string& state) { said_.push_back(state); }, watchdog, log_};
  }
  /// Steps whenever the supervisor asks for it until so much time has passed.
  void run_for(Watchdog& supervisor, Nanos time) {
    const MonoTime end = clock_.mono() + time;
    while (clock_.mono() < end) {
      const MonoTime next = supervisor.step(clock_.mono());
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
  Watchdog supervisor = make({});
  supervisor.extend(30s);
  supervisor.ready();
  supervisor.stopping();
  EXPECT_THAT(said_, ElementsAre("EXTEND_TIMEOUT_USEC=30000000", "READY=1", "STOPPING=1"));
}

TEST_F(WatchdogTest, TellsAStatusOnlyWhenItChangesAndAsOneLine) {
  Watchdog supervisor = make({});
  supervisor.status("3 meters");
  supervisor.status("3 meters");
  supervisor.status("4 meters\nREADY=1");
  EXPECT_THAT(said_, ElementsAre("STATUS=3 meters", "STATUS=4 meters READY=1"));
}

TEST_F(WatchdogTest, FeedsTheWatchdogAtHalfItsTime) {
  Watchdog supervisor = make(2s);
  run_for(supervisor, 3500ms);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"));  // at 0, 1, 2 and 3 s
}

TEST_F(WatchdogTest, FeedsNotEarlierWhenItIsCalledMoreOften) {
  Watchdog supervisor = make(2s);
  for (int i = 0; i < 10; ++i) {
    supervisor.step(clock_.mono());
    clock_.advance(10ms);
  }
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1"));
}

TEST_F(WatchdogTest, FeedsNothingWhileOneThreadHangs) {
  Watchdog supervisor = make(2s);
  store_.busy_until(clock_.mono() + 1500ms);
  run_for(supervisor, 10s);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1", "WATCHDOG=1"));  // at 0 and 1 s
}

TEST_F(WatchdogTest, FeedsAgainWithinASecondWhenTheThreadIsBack) {
  Watchdog supervisor = make(60s);
  bus_.busy_until(clock_.mono() - 1ns);
  const MonoTime next = supervisor.step(clock_.mono());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_LE(next, clock_.mono() + 1s);
  bus_.busy_until(clock_.mono() + 1h);
  supervisor.step(next);
  EXPECT_THAT(said_, ElementsAre("WATCHDOG=1"));
}

TEST_F(WatchdogTest, TakesALongTransactionThatWasAnnouncedForNoHang) {
  Watchdog supervisor = make(2s);
  bus_.busy_until(clock_.mono() + 5s);
  run_for(supervisor, 5s);
  EXPECT_EQ(said_.size(), 5u);
}

TEST_F(WatchdogTest, TakesAThreadThatEndedAsItShouldForNoHang) {
  Watchdog supervisor = make(2s);
  bus_.ended();
  run_for(supervisor, 24h);
  EXPECT_EQ(said_.size(), 24u * 3600u);
}

TEST_F(WatchdogTest, FeedsNothingAfterAThreadFailed) {
  Watchdog supervisor = make(2s);
  bus_.failed();
  run_for(supervisor, 1min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(WatchdogTest, FeedsNothingWithoutAWatchdog) {
  Watchdog supervisor = make({});
  run_for(supervisor, 1min);
  EXPECT_THAT(said_, IsEmpty());
}

}  // namespace
}  // namespace metergate
