#include "drivers/dlt645/wire_time.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

TEST(Dlt645WireTimeTest, IsThatOfRequestAndAnswerWithFourFEsEach) {
  BusSettings settings;
  SerialSettings serial;
  static_cast<LineMode&>(serial) = {2400, 'E', 1};
  settings.port = serial;
  Target target;
  target.family = Family::kDlt645;
  Block energy = whole_item(0x00010000, Family::kDlt645);
  energy.count = 4;
  const auto micros = [&] { return static_cast<double>(dlt645_wire_time(settings, target, energy).count()); };
  // 20 and 24 characters of 11 bits, each rounded down.
  EXPECT_NEAR(micros(), 201'666, 1);
  energy.count = 20;
  EXPECT_NEAR(micros(), 275'000, 1);
  target.line = LineMode{9600, 'E', 1};
  EXPECT_NEAR(micros(), 68'750, 1);
  target.line.reset();
  target.family = Family::kDlt645Of1997;
  energy = whole_item(0x9010, Family::kDlt645Of1997);
  energy.count = 4;
  EXPECT_NEAR(micros(), 183'333, 1);
  settings.port = TcpSettings{};
  EXPECT_EQ(micros(), 0);
}

}  // namespace
}  // namespace metergate
