#include <gmock/gmock.h>

#include <random>

#include "drivers/modbus/modbus_bus.h"
#include "tests/fakes/fake_link.h"

namespace metergate {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr Millis kTimeout{200};

Block holding(int address, int count) {
  return {Table::kHolding, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}

Words values(int unit, const Block& block) {
  Words out;
  for (int i = 0; i < block.count; ++i) out.push_back(FakeLink::value(unit, block.address + i));
  return out;
}

Target unit_target(int unit) {
  Target target;
  target.address = std::to_string(unit);
  return target;
}

/// Servers over TCP with ways of their own.
class TcpServerTest : public ::testing::Test {
 protected:
  TcpServerTest() { use(TcpSettings{}); }

  void use(const TcpSettings& port) {
    auto link = std::make_unique<FakeLink>(clock_);
    link_ = link.get();
    BusSettings settings;
    settings.port = port;
    settings.timeout = kTimeout;
    bus_ = std::make_unique<ModbusBus>(settings, std::move(link), clock_);
    EXPECT_TRUE(bus_->open());
  }
  void use(Lenient lenient) {
    TcpSettings port;
    port.lenient = lenient;
    use(port);
  }
  static TcpSettings rtu_over_tcp() {
    TcpSettings port;
    port.rtu = true;
    return port;
  }
  Result<Words> read(int unit, const Block& block) { return bus_->read(unit_target(unit), block); }

  FakeClock clock_;
  FakeLink* link_ = nullptr;
  std::unique_ptr<ModbusBus> bus_;
};

// Hang-ups.

TEST_F(TcpServerTest, ReadsOnceMoreOverANewConnectionWhereTheServerHangsUpInsteadOfAnswering) {
  for (const bool rtu : {false, true}) {
    use(rtu ? rtu_over_tcp() : TcpSettings{});
    EXPECT_TRUE(read(1, holding(10, 4)));
    link_->ends_after_request = 1;

    const Result<Words> words = read(1, holding(20, 4));

    ASSERT_TRUE(words) << words.error().detail;
    EXPECT_EQ(*words, values(1, holding(20, 4)));
    EXPECT_EQ(link_->opens, rtu ? 3 : 2);  // on RTU after a guard, over a connection of its own
    EXPECT_TRUE(bus_->is_open());
  }
}

TEST_F(TcpServerTest, IsNotDownWhileAServerThatHangsUpTakesConnections) {
  link_->ends_after_request = 1;
  link_->meter = [this](int, const Bytes&) {
    link_->ends_after_request = 1;  // the next one, too
    return Bytes{};
  };

  const Result<Words> words = read(1, holding(20, 4));

  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().code, Errc::kGarbled);
  EXPECT_THAT(words.error().detail, HasSubstr("connection ended"));
  EXPECT_TRUE(bus_->is_open());
  EXPECT_THAT(link_->asked, SizeIs(2));
}

TEST_F(TcpServerTest, IsDownWhereNoNewConnectionCanBeMade) {
  link_->meter = [this](int, const Bytes&) {
    link_->unplugged = true;
    return Bytes{};
  };

  EXPECT_EQ(read(1, holding(20, 4)).error().code, Errc::kBusDown);
  EXPECT_FALSE(bus_->is_open());
}

TEST_F(TcpServerTest, SendsNoWriteTwiceWhereTheServerHangsUp) {
  link_->ends_after_request = 1;

  const WriteOutcome outcome = bus_->write(unit_target(1), {Write::Form::kRegister, 7, {1}});

  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kGarbled);
  EXPECT_TRUE(outcome.sent);
  EXPECT_TRUE(bus_->is_open());
  EXPECT_THAT(link_->asked, SizeIs(1));
}

// The first moments of a connection.

TEST_F(TcpServerTest, WaitsAfterAConnectAsLongAsItIsTold) {
  TcpSettings port;
  port.connect_delay = Millis{700};
  use(port);
  const MonoTime connected = clock_.mono();

  EXPECT_TRUE(read(1, holding(10, 4)));
  EXPECT_TRUE(read(1, holding(10, 4)));

  EXPECT_EQ(link_->asked[0].at - connected, Millis{700});
  EXPECT_EQ(link_->asked[1].at - connected, Millis{705});
}

TEST_F(TcpServerTest, FindsOutHowLongAServerSwallowsWhatComesAfterAConnect) {
  link_->swallows = Millis{1700};
  int failed = 0;
  while (!read(1, holding(10, 4)) && failed < 10) ++failed;
  EXPECT_EQ(failed, 3);

  // It closes each connection after a while: at most one poll is lost to the search for a shorter delay.
  failed = 0;
  for (int i = 0; i < 20; ++i) {
    link_->server_closed = true;
    if (!read(1, holding(10, 4))) ++failed;
  }
  EXPECT_LE(failed, 1);
}

// Numbers in answers.

TEST_F(TcpServerTest, NamesTheKeyThatTakesAnAnswerWithOtherNumbers) {
  link_->other_transaction = true;
  EXPECT_THAT(read(1, holding(10, 4)).error().detail, HasSubstr("lenient=transaction "));
  link_->other_unit = 255;
  EXPECT_THAT(read(1, holding(10, 4)).error().detail, HasSubstr("lenient=both "));
  link_->other_transaction = false;
  EXPECT_THAT(read(1, holding(10, 4)).error().detail, HasSubstr("lenient=unit "));
}

TEST_F(TcpServerTest, TakesOtherNumbersOnlyWhereItIsTold) {
  for (const Lenient lenient : {Lenient::kNone, Lenient::kTransaction, Lenient::kUnit, Lenient::kBoth}) {
    for (const bool transaction : {false, true}) {
      for (const bool unit : {false, true}) {
        use(lenient);
        link_->other_transaction = transaction;
        if (unit) link_->other_unit = 255;
        const bool any_transaction = lenient == Lenient::kTransaction || lenient == Lenient::kBoth;
        const bool any_unit = lenient == Lenient::kUnit || lenient == Lenient::kBoth;

        const bool taken = static_cast<bool>(read(1, holding(10, 4)));

        EXPECT_EQ(taken, (any_transaction || !transaction) && (any_unit || !unit)) << static_cast<int>(lenient);
      }
    }
  }
}

/// One in six answers late by 1.1 to 3.5 timeouts, also into the next connection, one in ten lost.
TEST_F(TcpServerTest, GivesNoWrongValueWhereTheTransactionDoesNotCount) {
  for (const Lenient lenient : {Lenient::kTransaction, Lenient::kBoth}) {
    for (unsigned seed = 0; seed < 100; ++seed) {
      std::mt19937 random(seed);
      const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
      use(lenient);
      link_->other_transaction = true;
      if (lenient == Lenient::kBoth) link_->other_unit = 255;
      link_->delay = [&](const FakeLink::Asked&) -> std::optional<Nanos> {
        const int fate = pick(0, 59);
        if (fate < 6) return std::nullopt;
        return fate < 16 ? kTimeout * pick(11, 35) / 10 : Millis{5};
      };
      int good = 0;
      for (int i = 0; i < 60; ++i) {
        const int unit = pick(1, 3);
        const Block block = holding(pick(0, 10'000), pick(0, 1) == 0 ? 2 : 10);
        const Result<Words> words = read(unit, block);
        if (!words) continue;
        ++good;
        ASSERT_EQ(*words, values(unit, block)) << "seed " << seed << ", poll " << i;
      }
      EXPECT_GT(good, 10) << seed;
    }
  }
}

}  // namespace
}  // namespace metergate
