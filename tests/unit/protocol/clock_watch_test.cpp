#include "agent/protocol/clock_watch.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <utility>

#include "agent/base/json.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

using std::chrono::seconds;

/// Keeps drafts: what a step tells is made when it gets its number.
class DraftOutbox : public FakeOutbox {
 public:
  void append(std::vector<Draft> added) override {
    for (Draft& draft : added) drafts.push_back(std::move(draft));
  }
  std::int64_t delta(std::size_t i) const {
    const auto event = parse_json("{" + drafts[i].late_body({}) + "}");
    return *event->find("detail")->find("delta_ms")->as_integer(-1'000'000, 1'000'000);
  }
  std::vector<Draft> drafts;
};

class ClockWatchTest : public ::testing::Test {
 protected:
  ClockWatchTest() : log_(LogLevel::kError, LogFormat::kText, clock_), watch_(outbox_, clock_, log_) {}
  void set_by(Millis by) { clock_.step_utc(clock_.utc() + by); }

  FakeClock clock_;
  Log log_;
  DraftOutbox outbox_;
  ClockWatch watch_;
};

TEST_F(ClockWatchTest, TellsAStepWithTheLastRecordsThatWereStampedBefore) {
  clock_.advance(seconds(10));
  set_by(seconds(-90));
  watch_.look();
  ASSERT_EQ(outbox_.drafts.size(), 1u);
  const auto event = parse_json("{" + outbox_.drafts[0].late_body({7, 8, 9}) + "}");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->find("event")->text, "clock_stepped");
  const Json& detail = *event->find("detail");
  EXPECT_EQ(detail.find("delta_ms")->text, "-90000");
  EXPECT_EQ(detail.find("last")->find("readings")->text, "7");
  EXPECT_EQ(detail.find("last")->find("events")->text, "9");
}

TEST_F(ClockWatchTest, TellsAStepOnce) {
  set_by(seconds(90));
  watch_.look();
  watch_.look();
  clock_.advance(seconds(10));
  watch_.look();
  EXPECT_EQ(outbox_.drafts.size(), 1u);
}

/// Once, behind a reading of the wall clock, it lets something else happen.
class InterruptedClock : public FakeClock {
 public:
  UtcTime utc() const override {
    const UtcTime read = FakeClock::utc();
    if (const auto interrupt = std::exchange(interrupt_, nullptr)) interrupt();
    return read;
  }
  mutable std::function<void()> interrupt_;
};

TEST(ClockWatchRaceTest, TellsAStepOnceAndWithItsSignThoughAnotherThreadLooksWhileOneHasReadTheOldClock) {
  InterruptedClock clock;
  Log log(LogLevel::kError, LogFormat::kText, clock);
  DraftOutbox outbox;
  ClockWatch watch(outbox, clock, log);
  std::future<void> other;
  clock.interrupt_ = [&] {
    clock.step_utc(clock.FakeClock::utc() + seconds(90));
    other = std::async(std::launch::async, [&watch] { watch.look(); });
    other.wait_for(Millis{200});  // where it may look before this thread has told what it saw, it is done long before
  };
  watch.look();
  other.get();
  watch.look();
  ASSERT_EQ(outbox.drafts.size(), 1u);
  EXPECT_EQ(outbox.delta(0), 90'000);
}

TEST_F(ClockWatchTest, TakesUpToASecondForSlewing) {
  set_by(Millis{1000});
  watch_.look();
  set_by(Millis{-1000});
  watch_.look();
  EXPECT_TRUE(outbox_.drafts.empty());
  set_by(Millis{1001});
  watch_.look();
  EXPECT_EQ(outbox_.drafts.size(), 1u);
}

TEST_F(ClockWatchTest, LooksTwiceASecondWhereNobodyStampsAnything) {
  EXPECT_EQ(watch_.step(clock_.mono()) - clock_.mono(), Millis{500});
}

}  // namespace
}  // namespace metergate
