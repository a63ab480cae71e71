#include "agent/protocol/clock_watch.h"

#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_outbox.h"

namespace metergate {
namespace {

using std::chrono::seconds;

class ClockWatchTest : public ::testing::Test {
 protected:
  ClockWatchTest() : log_(LogLevel::kError, LogFormat::kText, clock_), watch_(outbox_, clock_, log_) {}
  void set_by(Millis by) { clock_.step_utc(clock_.utc() + by); }

  /// Keeps drafts: what a step tells is made when it gets its number.
  class DraftOutbox : public FakeOutbox {
   public:
    void append(std::vector<Draft> added) override {
      for (Draft& draft : added) drafts.push_back(std::move(draft));
    }
    std::vector<Draft> drafts;
  };
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
