#include <dlfcn.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdarg>

#include "drivers/line/make_bus.h"
#include "drivers/port/port.h"
#include "tests/wire/pty.h"

namespace {

using metergate::MonoTime;

struct Switch {
  bool up;
  MonoTime at;
};

/// The RTS line that a pty does not have.
std::vector<Switch>& rts_line() {
  static std::vector<Switch> line;
  return line;
}

}  // namespace

extern "C" int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* const argument = va_arg(list, void*);
  va_end(list);
  if (request == TIOCMGET) return 0;
  if (request == TIOCMBIS || request == TIOCMBIC) {
    rts_line().push_back({request == TIOCMBIS, metergate::SystemClock().mono()});
    return 0;
  }
  const auto real = reinterpret_cast<int (*)(int, unsigned long, void*)>(dlsym(RTLD_NEXT, "ioctl"));
  return real(fd, request, argument);
}

namespace metergate {
namespace {

using ::testing::Ge;
using ::testing::Lt;
using ::testing::SizeIs;

constexpr Millis kBefore{2}, kAfter{1};
constexpr Nanos kRequest = std::chrono::microseconds(8333);  // 8 characters of 10 bits at 9600 baud
// A fast meter answers so soon after the last bit.
constexpr Millis kTurnaround{4};

class DirectionTest : public ::testing::TestWithParam<Direction> {
 protected:
  DirectionTest() {
    SerialSettings serial = pty_.settings();
    serial.direction = GetParam();
    serial.rts_before = kBefore;
    serial.rts_after = kAfter;
    settings_.port = serial;
    settings_.timeout = Millis{20};
    rts_line().clear();
  }
  static bool sends_up() { return GetParam() == Direction::kRtsUp; }
  static constexpr int kTries = 10;
  /// The line sends while `ask` puts a request onto it, and listens before the meter may answer. The best of some
  /// tries: a busy test machine holds every thread up now and then.
  template <class Ask>
  static void expect_sending_only_while(Ask ask) {
    Nanos best = Nanos::max();
    for (int i = 0; i < kTries; ++i) {
      rts_line().clear();
      ask();
      ASSERT_THAT(rts_line(), SizeIs(2));
      EXPECT_EQ(rts_line()[0].up, sends_up());
      EXPECT_EQ(rts_line()[1].up, !sends_up());
      const Nanos held = rts_line()[1].at - rts_line()[0].at;
      EXPECT_THAT(held, Ge(kBefore + kRequest + kAfter));
      best = std::min(best, held);
    }
    EXPECT_THAT(best, Lt(kBefore + kRequest + kTurnaround));
    RecordProperty("held_us", static_cast<int>(best.count() / 1000));
  }

  SystemClock clock_;
  Pty pty_;
  BusSettings settings_;
};

TEST_P(DirectionTest, ListensFromTheStartAndSendsOnlyForARequestOfABus) {
  const std::unique_ptr<Bus> bus = make_line_bus(settings_, clock_);
  ASSERT_TRUE(bus->open());
  ASSERT_THAT(rts_line(), SizeIs(1));
  EXPECT_EQ(rts_line()[0].up, !sends_up());

  int unit = 0;
  expect_sending_only_while([&] {
    Target target;
    target.address = std::to_string(++unit);
    EXPECT_FALSE(bus->read(target, {Table::kHolding, 0, 1}));
  });
}

TEST_P(DirectionTest, SendsOnlyForTheBytesOfARawWrite) {
  const std::unique_ptr<Port> port = make_port(settings_, clock_);
  ASSERT_TRUE(port->open());

  expect_sending_only_while([&] { EXPECT_TRUE(port->write(Bytes(8))); });
}

INSTANTIATE_TEST_SUITE_P(Polarity, DirectionTest, ::testing::Values(Direction::kRtsUp, Direction::kRtsDown));

}  // namespace
}  // namespace metergate
