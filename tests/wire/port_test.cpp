#include "drivers/port/port.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <thread>

#include "tests/wire/free_port.h"
#include "tests/wire/pty.h"

namespace metergate {
namespace {

using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Lt;

class PortTest : public ::testing::Test {
 protected:
  PortTest() { std::signal(SIGPIPE, SIG_IGN); }

  std::unique_ptr<Port> make(std::variant<SerialSettings, TcpSettings> settings) const {
    BusSettings bus;
    bus.port = std::move(settings);
    return make_port(bus, clock_);
  }
  std::unique_ptr<Port> opened(std::variant<SerialSettings, TcpSettings> settings) const {
    std::unique_ptr<Port> port = make(std::move(settings));
    const Status status = port->open();
    EXPECT_TRUE(status) << status.error().detail;
    return port;
  }
  static Error error_of(const Status& status) { return status ? Error{Errc::kNotFound, "no error"} : status.error(); }
  void say(const Bytes& bytes) const {
    EXPECT_EQ(::write(pty_.other_end.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  SystemClock clock_;
  Pty pty_;
};

TEST_F(PortTest, BelongsToOneMasterAtATime) {
  const std::unique_ptr<Port> first = opened(pty_.settings());
  const std::unique_ptr<Port> second = make(pty_.settings());

  EXPECT_EQ(error_of(second->open()).code, Errc::kLocked);

  first->close();
  EXPECT_TRUE(second->open());
}

TEST_F(PortTest, OpensAgainWithParityWhereThePtyDropsIt) {
  SerialSettings settings = pty_.settings();
  settings.parity = 'E';
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(make(settings)->open());
}

struct Refusal {
  const char* device;
  int baud;
  Direction direction;
  Errc code;
  const char* says;
};

TEST_F(PortTest, SaysWhatIsWrongWithTheDevice) {
  for (const Refusal& wrong : {Refusal{"", 12345, Direction::kNone, Errc::kInvalid, "9600"},
                               Refusal{"", 9600, Direction::kKernel, Errc::kInvalid, "rs485=none"},
                               Refusal{"", 9600, Direction::kRtsUp, Errc::kInvalid, "rs485=none"},
                               Refusal{"/dev/null", 9600, Direction::kNone, Errc::kInvalid, "no serial device"},
                               Refusal{"/dev/no-such", 9600, Direction::kNone, Errc::kBusDown, "No such file"}}) {
    SerialSettings settings = pty_.settings();
    if (*wrong.device != '\0') settings.device = wrong.device;
    settings.baud = wrong.baud;
    settings.direction = wrong.direction;
    const std::unique_ptr<Port> port = make(settings);

    const Error error = error_of(port->open());

    EXPECT_EQ(error.code, wrong.code) << error.detail;
    EXPECT_THAT(error.detail, HasSubstr(wrong.says));
    EXPECT_THAT(error.detail, HasSubstr(settings.device));
    EXPECT_FALSE(port->is_open());
  }
}

TEST_F(PortTest, IsEmptyWhenOpened) {
  say({1, 2, 3});

  const std::unique_ptr<Port> port = opened(pty_.settings());

  Bytes strays;
  EXPECT_TRUE(port->discard(&strays));
  EXPECT_TRUE(strays.empty());
}

TEST_F(PortTest, CarriesRawBytesBothWays) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  const Bytes frame{0x68, 0x00, 0x0A, 0x0D, 0x11, 0x13, 0xFF, 0x16};  // what a line discipline would touch

  EXPECT_TRUE(port->write(frame));
  Bytes heard(64);
  heard.resize(static_cast<std::size_t>(::read(pty_.other_end.get(), heard.data(), heard.size())));
  EXPECT_EQ(heard, frame);

  say(frame);
  Bytes got(64);
  const Result<std::size_t> size = port->read(got.data(), got.size(), clock_.mono() + Millis{500});
  ASSERT_TRUE(size);
  got.resize(*size);
  EXPECT_EQ(got, frame);
}

TEST_F(PortTest, WaitsForBytesUntilTheDeadlineAndNoLonger) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  std::array<std::uint8_t, 8> to{};
  const MonoTime start = clock_.mono();

  const Result<std::size_t> size = port->read(to.data(), to.size(), start + Millis{30});

  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, Errc::kTimeout);
  EXPECT_THAT(clock_.mono() - start, Ge(Millis{30}));
}

TEST_F(PortTest, ReturnsFromAWriteWhenTheLastBitIsOut) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  const MonoTime start = clock_.mono();

  EXPECT_TRUE(port->write(Bytes(8)));

  EXPECT_THAT(clock_.mono() - start, Ge(8 * port->char_time()));
}

TEST_F(PortTest, IsSilentForThreeAndAHalfCharactersAndTheGapAfterTheLastByte) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  say({1});
  std::array<std::uint8_t, 8> to{};
  ASSERT_TRUE(port->read(to.data(), to.size(), clock_.mono() + Millis{500}));
  const MonoTime heard = clock_.mono();

  Bytes strays;
  EXPECT_TRUE(port->settle(Millis{10}, &strays));

  const auto t35 = std::chrono::microseconds(3645);  // 35 bits at 9600 baud, rounded down
  EXPECT_THAT(clock_.mono() - heard, Ge(t35 + Millis{10} - Micros{200}));
  const MonoTime settled = clock_.mono();
  EXPECT_TRUE(port->settle(Millis{10}, &strays));
  EXPECT_THAT(clock_.mono() - settled, Lt(t35 + Millis{10}));  // long silent already
  EXPECT_TRUE(strays.empty());
}

TEST_F(PortTest, ChangesItsModeAfterTheSilenceThatBothNeed) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  const auto speed = [&] {
    termios line{};
    EXPECT_EQ(tcgetattr(port->fd(), &line), 0);
    return cfgetospeed(&line);
  };
  EXPECT_EQ(speed(), B9600);
  EXPECT_TRUE(port->write(Bytes(2)));
  MonoTime sent = clock_.mono();

  EXPECT_TRUE(port->set_mode({1200, 'N', 2}));

  EXPECT_EQ(speed(), B1200);
  EXPECT_THAT(clock_.mono() - sent, Ge(Nanos{std::chrono::seconds(11)} / 1200 * 7 / 2 - Micros{200}));
  EXPECT_EQ(port->char_time(), Nanos{std::chrono::seconds(11)} / 1200);
  EXPECT_TRUE(port->write(Bytes(1)));
  sent = clock_.mono();
  EXPECT_TRUE(port->set_mode({115200, 'N', 1}));
  EXPECT_EQ(speed(), B115200);
  EXPECT_THAT(clock_.mono() - sent, Ge(Nanos{std::chrono::seconds(11)} / 1200 * 7 / 2 - Micros{200}));

  EXPECT_EQ(error_of(port->set_mode({12345, 'N', 1})).code, Errc::kInvalid);
  EXPECT_TRUE(port->set_mode({9600, 'N', 1}));
  EXPECT_EQ(speed(), B9600);
  EXPECT_TRUE(port->set_mode({1200, 'N', 2}));
  EXPECT_TRUE(port->open());
  EXPECT_EQ(speed(), B9600);
}

TEST_F(PortTest, ThrowsStraysAwayAndWaitsForSilenceAfterThem) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  say({1, 2, 3});
  std::thread later([this] {
    clock_.sleep_until(clock_.mono() + Millis{10});
    say({4, 5});
  });

  Bytes strays;
  EXPECT_TRUE(port->settle(Nanos{0}, &strays));
  later.join();

  EXPECT_EQ(strays, (Bytes{1, 2, 3, 4, 5}));
}

TEST_F(PortTest, GivesUpOnALineThatIsNeverSilent) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  // A busy machine may leave the line silent for so long that the port is right to go on: that try does not count.
  const Millis silence{3};  // less than the 3.5 characters that the port waits for
  for (int tries = 0; tries < 500; ++tries) {
    std::atomic<bool> stop{false};
    std::atomic<bool> paused{false};
    MonoTime last = clock_.mono();
    std::thread noise([&] {
      const auto look = [&] {
        const MonoTime now = clock_.mono();
        paused = paused || now - last > silence;
        last = now;
      };
      for (; !stop; clock_.sleep_until(last + Millis{1})) {
        say({0});
        look();
      }
      look();
    });
    Bytes strays;
    const Status silent = port->settle(Nanos{0}, &strays);
    stop = true;
    noise.join();
    if (silent && paused) continue;

    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code, Errc::kGarbled);
    EXPECT_FALSE(strays.empty());
    return;
  }
  FAIL() << "this machine never lets a thread write each 3 ms";
}

TEST_F(PortTest, ClosesItselfWhenTheDeviceIsGone) {
  const std::unique_ptr<Port> port = opened(pty_.settings());
  pty_.other_end = Fd();
  pty_.held = Fd();

  Bytes strays;
  const Status silent = port->settle(Nanos{0}, &strays);

  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Errc::kBusDown);
  EXPECT_FALSE(port->is_open());
}

TEST_F(PortTest, TellsWhenNobodyListens) {
  TcpSettings nobody;
  nobody.host = "127.0.0.1";
  nobody.port = free_port();

  const Error error = error_of(make(nobody)->open());

  EXPECT_EQ(error.code, Errc::kBusDown);
  EXPECT_THAT(error.detail, HasSubstr("127.0.0.1:" + std::to_string(nobody.port)));
}

TEST_F(PortTest, ConnectsToAName) {
  TcpSettings server;
  const Fd listener = listen_on_loopback(server.port);
  server.host = "localhost";

  EXPECT_TRUE(make(server)->open());
}

TEST_F(PortTest, GivesUpConnectingInTime) {
  TcpSettings full;
  full.host = "127.0.0.1";
  full.connect_timeout = Millis{100};
  const Fd listener = listen_on_loopback(full.port, 0);
  const std::unique_ptr<Port> queued = opened(full);
  const std::unique_ptr<Port> waiting = make(full);

  const MonoTime start = clock_.mono();
  const Error error = error_of(waiting->open());

  EXPECT_EQ(error.code, Errc::kBusDown) << error.detail;
  EXPECT_THAT(clock_.mono() - start, Ge(Millis{100}));
  EXPECT_THAT(clock_.mono() - start, Le(Millis{1000}));
}

TEST_F(PortTest, NoticesThatTheServerEndedTheConnection) {
  TcpSettings server;
  const Fd listener = listen_on_loopback(server.port);
  server.host = "127.0.0.1";
  const std::unique_ptr<Port> port = opened(server);
  { const Fd accepted(accept(listener.get(), nullptr, nullptr)); }

  Bytes strays;
  const Status silent = port->settle(Millis{20}, &strays);

  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Errc::kBusDown);
  EXPECT_FALSE(port->is_open());
}

}  // namespace
}  // namespace metergate
