#include "drivers/modbus/wire_time.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

SerialSettings line(int baud, char parity, int stop_bits) {
  SerialSettings serial;
  serial.baud = baud;
  serial.parity = parity;
  serial.stop_bits = stop_bits;
  return serial;
}

BusSettings bus(const std::variant<SerialSettings, TcpSettings>& port) {
  BusSettings settings;
  settings.port = port;
  return settings;
}

TEST(WireTimeTest, ACharacterHasAStartBitEightBitsItsParityAndStopBits) {
  EXPECT_EQ(char_time(line(1000, 'N', 1)), Millis{10});
  EXPECT_EQ(char_time(line(1000, 'N', 2)), Millis{11});
  EXPECT_EQ(char_time(line(1000, 'E', 1)), Millis{11});
  EXPECT_EQ(char_time(line(1000, 'O', 2)), Millis{12});
  EXPECT_EQ(char_time(line(0, 'N', 1)), Nanos{0});
}

// Modbus over serial line V1.02, 2.5.1.1.
TEST(WireTimeTest, AFrameEndsWithThreeAndAHalfCharactersAboveThatSpeedWithAFixedTime) {
  EXPECT_EQ(frame_gap(line(1000, 'N', 1)), Millis{35});
  EXPECT_EQ(frame_gap(line(19200, 'E', 1)), char_time(line(19200, 'E', 1)) * 7 / 2);
  EXPECT_EQ(frame_gap(line(19201, 'E', 1)), Micros{1750});
  EXPECT_EQ(frame_gap(line(115200, 'E', 1)), Micros{1750});
}

TEST(WireTimeTest, ARequestTakesEightCharactersAnAnswerFiveAndTwoARegisterAndT35) {
  const BusSettings settings = bus(line(1000, 'N', 1));

  EXPECT_EQ(wire_time(settings, Target{}, Block{Table::kHolding, 0, 10}), Millis{10 * (8 + 5 + 20) + 35});
  EXPECT_EQ(wire_time(settings, Target{}, Block{Table::kCoil, 0, 9}), Millis{10 * (8 + 5 + 2) + 35});
  EXPECT_EQ(frames_time(line_of(settings, Target{}), *to_request(Block{Table::kHolding, 0, 10}), 2),
            Millis{10 * (8 + 5)});
}

TEST(WireTimeTest, ASocketTakesNoTime) {
  EXPECT_EQ(wire_time(bus(TcpSettings{}), Target{}, Block{Table::kHolding, 0, 10}), Micros{0});
}

}  // namespace
}  // namespace metergate
