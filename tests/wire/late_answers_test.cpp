#include <gmock/gmock.h>
#include <modbus.h>

#include <csignal>
#include <ostream>
#include <tuple>

#include "drivers/line/make_bus.h"
#include "tests/wire/late_slave.h"

namespace metergate {
namespace {

constexpr Millis kTimeout{100};
// What a serial bus waits beyond its timeout: wire time of 125 registers at 115200 baud, and slack.
constexpr Millis kSerialExtra{50};

struct Late {
  Wire wire;
  double timeouts;  ///< so late is the one answer
  std::uint16_t count;
  std::uint16_t address;
};

void PrintTo(const Late& late, std::ostream* out) {
  *out << "wire " << static_cast<int>(late.wire) << ", " << late.timeouts << " timeouts, " << late.count << " at "
       << late.address;
}

Millis lateness(const Late& late) {
  const Millis wait = kTimeout + (late.wire == Wire::kPty ? kSerialExtra : Millis{0});
  return std::chrono::duration_cast<Millis>(wait * late.timeouts);
}

/// The third answer is late.
LateSlave::Delay third_late(const Late& late) {
  return [late](int n) { return n == 2 ? lateness(late) : Millis{0}; };
}

Words addresses(const Block& block) {
  Words out;
  for (int i = 0; i < block.count; ++i) out.push_back(static_cast<std::uint16_t>(block.address + i));
  return out;
}

class LateAnswersTest : public ::testing::TestWithParam<Late> {
 protected:
  LateAnswersTest() { std::signal(SIGPIPE, SIG_IGN); }
  /// Another address each time, the count stays: what a late answer is mistaken for.
  static Block block(int poll) {
    const int address = GetParam().address - (GetParam().address > 1000 ? poll : -poll);
    return {Table::kHolding, static_cast<std::uint16_t>(address), GetParam().count};
  }
};

TEST_P(LateAnswersTest, NeverGiveAWrongValueAndCostAtMostFourPolls) {
  LateSlave slave(GetParam().wire, third_late(GetParam()));
  const SystemClock clock;
  BusSettings settings;
  settings.port = slave.port();
  settings.timeout = kTimeout;
  const std::unique_ptr<Bus> bus = make_line_bus(settings, clock);
  ASSERT_TRUE(bus->open());
  Target target;
  target.address = "1";

  constexpr int kPolls = 12, kFirstLate = 2, kHealthyAfter = 5;
  for (int poll = 0; poll < kPolls; ++poll) {
    const Result<Words> words = bus->read(target, block(poll));
    if (words) {
      ASSERT_EQ(*words, addresses(block(poll))) << "poll " << poll;
    } else {
      EXPECT_GE(poll, kFirstLate) << words.error().detail;
      EXPECT_LT(poll, kFirstLate + kHealthyAfter - 1) << words.error().detail;
    }
  }
  EXPECT_GE(bus->counters().timeouts, 1);
}

std::vector<Late> all() {
  std::vector<Late> out;
  for (const Wire wire : {Wire::kPty, Wire::kRtuOverTcp, Wire::kTcp}) {
    for (const double timeouts : {1.1, 1.5, 2.5, 3.5}) {
      out.push_back({wire, timeouts, 1, 10});
      out.push_back({wire, timeouts, 125, 100});
      out.push_back({wire, timeouts, 10, 65526});
    }
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Lateness, LateAnswersTest, ::testing::ValuesIn(all()));

/// The same fault through modbus_read_registers, as libmodbus sets it up by itself.
TEST(PlainLibmodbusTest, GivesWrongValuesForLateAnswers) {
  LateSlave slave(Wire::kPty, third_late({Wire::kPty, 1.1, 4, 10}));
  const std::unique_ptr<modbus_t, void (*)(modbus_t*)> context(
      modbus_new_rtu(std::get<SerialSettings>(slave.port()).device.c_str(), 115200, 'N', 8, 1), modbus_free);
  ASSERT_EQ(modbus_connect(context.get()), 0);
  modbus_set_slave(context.get(), 1);
  modbus_set_response_timeout(context.get(), 0, static_cast<std::uint32_t>(Micros(kTimeout + kSerialExtra).count()));

  int wrong = 0;
  for (int address = 0; address < 12; ++address) {
    Words words(4);
    if (modbus_read_registers(context.get(), address, 4, words.data()) == 4 && words[0] != address) ++wrong;
  }
  modbus_close(context.get());
  EXPECT_GT(wrong, 0);
}

}  // namespace
}  // namespace metergate
