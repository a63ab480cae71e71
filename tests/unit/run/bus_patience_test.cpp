#include "agent/run/bus_patience.h"

#include <gtest/gtest.h>

#include "tests/fakes/one_bus.h"

namespace metergate {
namespace {

using std::chrono::seconds;

TEST(BusPatienceTest, IsThreeRequestsOfTheSlowestMeterAndTenSeconds) {
  OneBus line;
  line.bus.spec.settings.timeout = seconds(2);
  EXPECT_EQ(patience_of(line.bus), seconds(16));
  line.meter("as the bus", 1);
  line.bus.meters[line.meter("slow", 2)].target.timeout = seconds(5);
  line.bus.meters[line.meter("quick", 3)].target.timeout = seconds(1);
  EXPECT_EQ(patience_of(line.bus), seconds(25));
}

TEST(BusPatienceTest, CountsAConnectWithEachRequestOverTcp) {
  OneBus line;
  line.bus.spec.settings.timeout = seconds(3);
  TcpSettings socket;
  socket.connect_timeout = seconds(4);
  line.bus.spec.settings.port = socket;
  EXPECT_EQ(patience_of(line.bus), seconds(31));
}

}  // namespace
}  // namespace metergate
