#include "agent/protocol/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_store.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class EventsTest : public ::testing::Test {
 protected:
  void tell(const std::string& source) { events_.tell("bus_down", source, "\"bus\":\"" + source + "\""); }
  std::string count(std::size_t i) const {
    const Json* count = store_.events.at(i).find("detail")->find("count");
    return count == nullptr ? "" : count->text;
  }

  FakeClock clock_;
  RecordingStore store_;
  Events events_{store_, clock_};
};

TEST_F(EventsTest, SendsAnEventAtOnceAndItsRepeatsOnceAMinuteWithTheirCount) {
  tell("a");
  EXPECT_EQ(store_.events.size(), 1u);
  tell("a");
  tell("a");
  clock_.advance(minutes(1) - Millis{1});
  EXPECT_EQ(events_.step(clock_.mono()), clock_.mono() + Millis{1});
  EXPECT_EQ(store_.events.size(), 1u);
  clock_.advance(Millis{1});
  events_.step(clock_.mono());
  ASSERT_EQ(store_.events.size(), 2u);
  EXPECT_EQ(count(0), "");
  EXPECT_EQ(count(1), "2");
}

TEST_F(EventsTest, IsDueWhenTheEarliestOfItsSourcesIs) {
  tell("a");
  clock_.advance(seconds(20));
  tell("b");
  EXPECT_EQ(events_.step(clock_.mono()), clock_.mono() + seconds(40));
}

TEST_F(EventsTest, HoldsBackNothingOfAnotherSource) {
  tell("a");
  tell("b");
  EXPECT_EQ(store_.events.size(), 2u);
}

TEST_F(EventsTest, SendsAtItsEndWhatItHeldBack) {
  for (int i = 0; i < 5; ++i) tell("a");
  tell("b");
  events_.finish();
  ASSERT_EQ(store_.events.size(), 3u);
  EXPECT_EQ(count(2), "4");
}

}  // namespace
}  // namespace metergate
