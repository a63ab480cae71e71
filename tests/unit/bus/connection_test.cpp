#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_bus.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

/// A bus over a connection that breaks off.
class ConnectionTest : public ::testing::Test, public WorkerBench {
 protected:
  ConnectionTest() : line_(clock_) {}
  /// A meter that is polled for three blocks.
  void start(Millis every = seconds(10)) {
    site_.poll(site_.meter("m1", 1), every, {"power", "energy", "limit"});
    WorkerBench::start(site_.bus, line_);
  }
  std::ptrdiff_t readings(const std::string& quality) const {
    return std::count_if(store_.readings.begin(), store_.readings.end(),
                         [&](const Json& r) { return text(r, "quality") == quality; });
  }

  FakeBus line_;
  OneBus site_;
};

TEST_F(ConnectionTest, ReadsAMeterWholeThoughTheConnectionIsClosedAfterEachAnswer) {
  bool answered = false;
  line_.hang_up = [&] { return std::exchange(answered, !answered); };
  start();
  run(minutes(10));
  EXPECT_GE(readings("good"), 59);
  EXPECT_EQ(readings("good"), static_cast<std::ptrdiff_t>(store_.readings.size()));
  EXPECT_THAT(store_.events, IsEmpty());
}

TEST_F(ConnectionTest, ReadsAMeterWithoutRetriesAgainInItsSlotAfterAHangUp) {
  int requests = 0;
  line_.hang_up = [&] { return ++requests == 5; };
  site_.poll(site_.meter("m1", 1, 0), seconds(10), {"power", "energy", "limit"});
  WorkerBench::start(site_.bus, line_);
  run(seconds(15));
  EXPECT_EQ(readings("good"), 2);
  EXPECT_EQ(store_.readings.size(), 2u);
}

TEST_F(ConnectionTest, IdentifiesNoMeterAnewAfterAHangUp) {
  site_ = OneBus("", "0", "serial_number = holding 500 u16\n");
  bool answered = false;
  line_.hang_up = [&] { return std::exchange(answered, !answered); };
  start();
  run(minutes(2));
  EXPECT_LE(std::count(line_.blocks.begin(), line_.blocks.end(), (Block{Table::kHolding, 500, 1})), 2);
}

TEST_F(ConnectionTest, ConnectsEverMoreSeldomToAServerThatClosesBeforeItsFirstAnswer) {
  draw_ = 1;
  line_.hang_up = [] { return true; };
  start(seconds(1));
  run(minutes(10));
  EXPECT_LE(line_.opens, 40);
  EXPECT_EQ(events("bus_down").size(), 1u);
  EXPECT_THAT(events("bus_up"), IsEmpty());
  EXPECT_LE(store_.readings.size(), 2u);
  line_.hang_up = nullptr;
  run(minutes(1));
  EXPECT_EQ(events("bus_up").size(), 1u);
  EXPECT_EQ(text(store_.readings.back(), "quality"), "good");
}

TEST_F(ConnectionTest, TellsABusAsDownWhenAHangUpIsFollowedByNoConnect) {
  start();
  run(seconds(5));
  line_.unplugged = true;
  run(seconds(15));
  EXPECT_EQ(events("bus_down").size(), 1u);
  EXPECT_EQ(text(events("bus_down")[0], "why"), "no such device");
  line_.unplugged = false;
  run(seconds(40));
  EXPECT_EQ(events("bus_up").size(), 1u);
  EXPECT_EQ(readings("bad"), 1);
}

TEST_F(ConnectionTest, TriesAReadCommandAgainAfterAHangUp) {
  int requests = 0;
  line_.hang_up = [&] { return ++requests == 2; };
  site_.meter("m1", 1);
  WorkerBench::start(site_.bus, line_);
  for (const char* id : {"c1", "c2"}) {
    OpenCommand open;
    open.command.id = id;
    open.command.op = Command::Op::kRead;
    open.plan.meter = open.plan.target = 0;
    open.plan.points = {site_.profile().find("power")};
    open.arrived = clock_.mono();
    worker_->give(open);
    run(Millis{500});
  }
  ASSERT_EQ(store_.results.size(), 2u);
  EXPECT_EQ(text(store_.results[1], "status"), "done");
}

}  // namespace
}  // namespace metergate
