#include <gmock/gmock.h>

#include <csignal>
#include <ostream>

#include "drivers/line/make_bus.h"
#include "tests/wire/late_slave.h"

namespace metergate {
namespace {

using metersim::Bytes;
using metersim::rtu_frame;
using ::testing::ElementsAre;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes flipped(Bytes frame, std::size_t at) {
  frame.at(at) ^= 0x20;
  return frame;
}

Bytes without_end(Bytes frame) {
  frame.pop_back();
  return frame;
}

/// The right answer to the second of three requests is 1 | 3 | 4 | 0 100 0 101 | check sum, or the same as Modbus TCP.
class DamagedAnswersTest : public ::testing::Test {
 protected:
  using Damage = std::function<Bytes(Bytes right)>;

  void use(Wire wire, const Damage& damage) {
    std::signal(SIGPIPE, SIG_IGN);
    slave_ = std::make_unique<LateSlave>(
        wire, [](int) { return Millis{0}; },
        [damage](int n, Bytes right) { return n == 1 ? damage(std::move(right)) : right; });
    BusSettings settings;
    settings.port = slave_->port();
    settings.timeout = Millis{40};
    bus_ = make_line_bus(settings, clock_);
    ASSERT_TRUE(bus_->open());
    EXPECT_THAT(*read(7), ElementsAre(7, 8));
  }
  Result<Words> read(std::uint16_t address) { return bus_->read(target(), {Table::kHolding, address, 2}); }
  static Target target() {
    Target target;
    target.address = "1";
    return target;
  }

  SystemClock clock_;
  std::unique_ptr<LateSlave> slave_;
  std::unique_ptr<Bus> bus_;
};

struct Case {
  const char* what;
  Wire wire;
  Bytes (*damage)(Bytes right);
  std::optional<Errc> expected;  ///< nothing: answered all the same
};
void PrintTo(const Case& example, std::ostream* out) { *out << example.what; }

class DamageTest : public DamagedAnswersTest, public ::testing::WithParamInterface<Case> {};

TEST_P(DamageTest, IsToldForWhatItIsAndHarmsNoLaterAnswer) {
  use(GetParam().wire, GetParam().damage);

  const Result<Words> words = read(100);
  if (GetParam().expected) {
    ASSERT_FALSE(words);
    EXPECT_EQ(words.error().code, *GetParam().expected) << words.error().detail;
  } else {
    ASSERT_TRUE(words) << words.error().detail;
    EXPECT_THAT(*words, ElementsAre(100, 101));
  }

  EXPECT_TRUE(bus_->is_open());
  const Result<Words> next = read(200);
  ASSERT_TRUE(next) << next.error().detail;
  EXPECT_THAT(*next, ElementsAre(200, 201));
}

INSTANTIATE_TEST_SUITE_P(
    Frames, DamageTest,
    ::testing::Values(
        Case{"a value bit flipped", Wire::kPty, [](Bytes right) { return flipped(right, 4); }, Errc::kCrc},
        Case{"unit flipped", Wire::kPty, [](Bytes right) { return flipped(right, 0); }, Errc::kCrc},
        Case{"function flipped", Wire::kPty, [](Bytes right) { return flipped(right, 1); }, Errc::kCrc},
        Case{"byte count too big", Wire::kPty, [](Bytes right) { return flipped(right, 2); }, Errc::kGarbled},
        Case{"end missing", Wire::kPty, [](Bytes right) { return without_end(right); }, Errc::kGarbled},
        Case{"nothing", Wire::kPty, [](Bytes) { return Bytes{}; }, Errc::kTimeout},
        Case{"only another unit's", Wire::kPty,
             [](Bytes) {
               return rtu_frame(2, {3, 4, 9, 9, 9, 9});
             },
             Errc::kGarbled},
        Case{"another unit's first", Wire::kPty,
             [](Bytes right) {
               return rtu_frame(2, {3, 4, 9, 9, 9, 9}) + right;
             },
             std::nullopt},
        Case{"another length first", Wire::kRtuOverTcp,
             [](Bytes right) {
               return rtu_frame(1, {3, 2, 9, 9}) + right;
             },
             std::nullopt},
        Case{"another function's exception first", Wire::kPty,
             [](Bytes right) {
               return rtu_frame(1, {0x84, 2}) + right;
             },
             std::nullopt},
        Case{"a byte of noise before it", Wire::kPty, [](Bytes right) { return Bytes{0xFF} + right; }, std::nullopt},
        Case{"zeros after it", Wire::kRtuOverTcp,
             [](Bytes right) {
               return right + Bytes{0, 0};
             },
             std::nullopt},
        Case{"noise after it", Wire::kPty,
             [](Bytes right) {
               return right + Bytes{0, 0xFF, 1};
             },
             std::nullopt},
        Case{"exception", Wire::kPty,
             [](Bytes) {
               return rtu_frame(1, {0x83, 4});
             },
             Errc::kException},
        Case{"exception of the maker's own", Wire::kPty,
             [](Bytes) {
               return rtu_frame(1, {0x83, 0xE1});
             },
             Errc::kException},
        Case{"TCP: another transaction only", Wire::kTcp, [](Bytes right) { return flipped(right, 1); },
             Errc::kGarbled},
        Case{"TCP: another transaction first", Wire::kTcp, [](Bytes right) { return flipped(right, 1) + right; },
             std::nullopt},
        Case{"TCP: another unit", Wire::kTcp, [](Bytes right) { return flipped(right, 6); }, Errc::kGarbled},
        Case{"TCP: another protocol", Wire::kTcp, [](Bytes right) { return flipped(right, 3); }, Errc::kGarbled}));

struct HangUp {
  Wire wire;
  LateSlave::End end;
  Millis after, pause;  ///< of the server, after each answer; of the master
};
void PrintTo(const HangUp& example, std::ostream* out) {
  *out << static_cast<int>(example.wire) << static_cast<int>(example.end) << " after " << example.after.count()
       << " ms, asked each " << example.pause.count() << " ms";
}

class HangUpTest : public ::testing::TestWithParam<HangUp> {};

TEST_P(HangUpTest, CostsNoReadingAndTakesNoBusDown) {
  std::signal(SIGPIPE, SIG_IGN);
  LateSlave slave(
      GetParam().wire, [](int) { return Millis{0}; }, nullptr, GetParam().end, GetParam().after);
  const SystemClock clock;
  BusSettings settings;
  settings.port = slave.port();
  settings.timeout = Millis{2000};
  const std::unique_ptr<Bus> bus = make_line_bus(settings, clock);
  ASSERT_TRUE(bus->open());
  Target target;
  target.address = "1";
  for (std::uint16_t i = 0; i < 30; ++i) {
    const Result<Words> words = bus->read(target, {Table::kHolding, i, 1});
    ASSERT_TRUE(words) << i << ": " << words.error().detail;
    EXPECT_THAT(*words, ElementsAre(i));
    EXPECT_TRUE(bus->is_open());
    clock.sleep_until(clock.mono() + GetParam().pause);
  }
  EXPECT_GE(bus->counters().opened, 10);
}

INSTANTIATE_TEST_SUITE_P(Servers, HangUpTest,
                         ::testing::Values(HangUp{Wire::kTcp, LateSlave::End::kClose, Millis{4}, Millis{0}},
                                           HangUp{Wire::kTcp, LateSlave::End::kClose, Millis{0}, Millis{0}},
                                           HangUp{Wire::kTcp, LateSlave::End::kReset, Millis{4}, Millis{0}},
                                           HangUp{Wire::kTcp, LateSlave::End::kReset, Millis{0}, Millis{1}},
                                           HangUp{Wire::kTcp, LateSlave::End::kClose, Millis{4}, Millis{4}},
                                           HangUp{Wire::kRtuOverTcp, LateSlave::End::kClose, Millis{4}, Millis{10}},
                                           HangUp{Wire::kRtuOverTcp, LateSlave::End::kReset, Millis{4}, Millis{10}}));

TEST_F(DamagedAnswersTest, NoWriteIsDoneThatIsNotEchoedExactly) {
  for (std::size_t at = 2; at < 6; ++at) {
    use(Wire::kPty, [at](Bytes right) {
      right.resize(6);
      right.at(at) ^= 1;
      return rtu_frame(1, {right.begin() + 1, right.end()});
    });
    const WriteOutcome outcome = bus_->write(target(), {Write::Form::kRegister, 10, {1}});
    ASSERT_FALSE(outcome.status);
    EXPECT_EQ(outcome.status.error().code, Errc::kGarbled);
    EXPECT_TRUE(outcome.sent);
  }
}

}  // namespace
}  // namespace metergate
