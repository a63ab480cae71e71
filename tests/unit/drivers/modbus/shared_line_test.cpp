#include <gmock/gmock.h>

#include <array>
#include <memory>

#include "drivers/modbus/modbus_bus.h"
#include "tests/fakes/shared_line.h"

namespace metergate {
namespace {

constexpr Millis kTimeout{200};

Block holding(int address, int count) {
  return {Table::kHolding, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}
Bytes read_request(const Block& block) { return to_request(block)->pdu; }
Words values(int unit, const Block& block) {
  Words out;
  for (int i = 0; i < block.count; ++i) out.push_back(SharedLine::value(unit, block.address + i));
  return out;
}
Target unit_target(int unit) {
  Target target;
  target.address = std::to_string(unit);
  return target;
}

class SharedLineTest : public ::testing::Test {
 protected:
  SharedLineTest() {
    auto line = std::make_unique<SharedLine>(clock_, 9600, 1);
    line_ = line.get();
    BusSettings settings;
    SerialSettings serial;
    serial.baud = 9600;
    serial.parity = 'N';
    settings.port = serial;
    settings.timeout = kTimeout;
    bus_ = std::make_unique<ModbusBus>(settings, std::move(line), clock_);
    EXPECT_TRUE(bus_->open());
  }

  /// A second master asks once, so long from now, and is answered after 30 ms.
  void foreign_question(Millis from_now, int unit, const Block& block) {
    line_->meter = [](int asked, const Bytes& pdu) {
      return SharedLine::Said{SharedLine::answer(asked, pdu), Millis{30}};
    };
    line_->asks_at = clock_.mono() + from_now;
    line_->second_master = [=] {
      return std::pair(SharedLine::Spoken{unit, read_request(block)}, Nanos{std::chrono::hours(24)});
    };
  }
  Result<Words> read(int unit, const Block& block) { return bus_->read(unit_target(unit), block); }

  FakeClock clock_;
  SharedLine* line_ = nullptr;
  std::unique_ptr<ModbusBus> bus_;
};

TEST_F(SharedLineTest, GivesAMetersValues) {
  EXPECT_EQ(*read(1, holding(10, 2)), values(1, holding(10, 2)));
  EXPECT_EQ(*read(2, holding(0x0400, 2)), values(2, holding(0x0400, 2)));

  EXPECT_EQ(bus_->counters().foreign_frames, 0);
}

TEST_F(SharedLineTest, ThrowsAwayAnAnswerBehindASecondMastersQuestion) {
  foreign_question(Millis{20}, 1, holding(500, 2));
  line_->meter = [](int unit, const Bytes& pdu) {
    // Ours is lost in the meter; the other's answer would fit it.
    return pdu == read_request(holding(10, 2)) ? SharedLine::Said{} : SharedLine::Said{SharedLine::answer(unit, pdu)};
  };

  const Result<Words> words = read(1, holding(10, 2));

  ASSERT_FALSE(words) << (*words)[0];
  EXPECT_EQ(words.error().code, Errc::kGarbled);
  EXPECT_THAT(words.error().detail, ::testing::HasSubstr("second master"));
  EXPECT_EQ(bus_->counters().foreign_frames, 2);
  EXPECT_EQ(bus_->counters().late_frames, 0);
}

TEST_F(SharedLineTest, TakesNoAnswerForItsOwnThatASecondMasterAskedForBefore) {
  line_->meter = [](int unit, const Bytes& pdu) {
    const bool foreign = pdu == read_request(holding(500, 2));
    return SharedLine::Said{SharedLine::answer(unit, pdu), foreign ? Millis{100} : Millis{10}};
  };
  line_->asks_at = clock_.mono();
  line_->second_master = [] {
    return std::pair(SharedLine::Spoken{1, read_request(holding(500, 2))}, Nanos{std::chrono::hours(24)});
  };
  clock_.advance(Millis{12});

  const Result<Words> words = read(1, holding(10, 2));

  ASSERT_TRUE(words) << words.error().detail;
  EXPECT_EQ(*words, values(1, holding(10, 2)));

  EXPECT_EQ(bus_->counters().guards, 1);
}

TEST_F(SharedLineTest, TellsALateAnswerFromAForeignOne) {
  int asked = 0;
  line_->meter = [&](int unit, const Bytes& pdu) {
    return SharedLine::Said{SharedLine::answer(unit, pdu), asked++ == 0 ? kTimeout + Millis{100} : Millis{10}};
  };

  EXPECT_FALSE(read(1, holding(10, 2)));
  clock_.advance(Millis{300});
  EXPECT_EQ(*read(1, holding(20, 2)), values(1, holding(20, 2)));

  EXPECT_EQ(bus_->counters().late_frames, 1);
  EXPECT_EQ(bus_->counters().foreign_frames, 0);
}

TEST_F(SharedLineTest, HearsItsOwnRequestsWithoutTakingThemForASecondMasters) {
  line_->echoes = true;
  EXPECT_EQ(*read(1, holding(10, 2)), values(1, holding(10, 2)));
  EXPECT_EQ(*read(1, holding(0x0400, 2)), values(1, holding(0x0400, 2)));  // its echo begins as its answer does

  EXPECT_EQ(bus_->counters().foreign_frames, 0);
  EXPECT_EQ(bus_->counters().late_frames, 0);
}

TEST_F(SharedLineTest, TakesNoEchoOfAWriteForTheMetersAnswer) {
  line_->echoes = true;
  const Write relay{Write::Form::kRegister, 7, {1}};
  EXPECT_TRUE(read(1, holding(10, 2)));
  line_->meter = [](int, const Bytes& pdu) { return SharedLine::Said{pdu}; };
  EXPECT_TRUE(bus_->write(unit_target(1), relay).status);

  line_->meter = [](int, const Bytes&) { return SharedLine::Said{}; };
  const WriteOutcome outcome = bus_->write(unit_target(1), relay);

  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kTimeout);
}

/// One in ten answers late by 1.1 to 3.5 timeouts, one in twenty lost, one in twenty damaged, while a second master
/// asks the same units for as many registers, without a look at who is talking.
void make_trouble(SharedLine& line) {
  line.meter = [&line](int unit, const Bytes& pdu) {
    SharedLine::Said said{SharedLine::answer(unit, pdu), Millis{line.pick(5, 40)}};
    const int fate = line.pick(1, 20);
    if (fate == 1) said.pdu.clear();
    if (fate == 2) said.broken = true;
    if (fate <= 4 && fate >= 3) said.turnaround = kTimeout * line.pick(11, 35) / 10;
    return said;
  };
  line.second_master = [&line] {
    const Block block =
        holding(line.pick(20'000, 30'000), std::array{1, 2, 10}.at(static_cast<std::size_t>(line.pick(0, 2))));
    return std::pair(SharedLine::Spoken{line.pick(1, 4), read_request(block)}, Nanos{Millis{line.pick(60, 900)}});
  };
}

TEST_F(SharedLineTest, ReadsPastNoiseBeforeAndBehindTheAnswer) {
  line_->noise_before = {0xFF};
  line_->noise_after = {0, 0};
  for (int i = 0; i < 300; ++i) EXPECT_EQ(*read(1, holding(i, 1)), values(1, holding(i, 1))) << i;

  EXPECT_EQ(bus_->counters().foreign_frames, 0);
  EXPECT_EQ(bus_->counters().late_bytes, 300 * 3 - 2);  // the last two zeros were not taken off the line yet
}

TEST_F(SharedLineTest, LearnsFromAnEchoWithoutItsFirstByteThatAWriteIsEchoedToo) {
  line_->echoes = true;
  line_->loses_first_byte = true;
  EXPECT_EQ(*read(1, holding(10, 2)), values(1, holding(10, 2)));
  line_->loses_first_byte = false;
  line_->meter = [](int, const Bytes&) { return SharedLine::Said{}; };

  const WriteOutcome outcome = bus_->write(unit_target(1), {Write::Form::kRegister, 7, {1}});

  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kTimeout);
}

TEST_F(SharedLineTest, AsksEachMeterInItsMode) {
  Target slow = unit_target(2);
  slow.line = LineMode{1200, 'N', 1};
  EXPECT_TRUE(read(1, holding(10, 2)));
  EXPECT_TRUE(bus_->read(slow, holding(10, 2)));
  EXPECT_TRUE(read(1, holding(10, 2)));

  EXPECT_THAT(line_->modes,
              ::testing::ElementsAre(LineMode{9600, 'N', 1}, LineMode{1200, 'N', 1}, LineMode{9600, 'N', 1}));
}

TEST_F(SharedLineTest, WaitsForASlowMeterAsLongAsItsCharactersTake) {
  line_->meter = [](int, const Bytes&) { return SharedLine::Said{}; };
  int unit = 0;
  const auto wait = [&](const std::optional<LineMode>& mode) {
    Target target = unit_target(++unit);  // nothing is open there
    target.line = mode;
    const MonoTime asked = clock_.mono();
    EXPECT_FALSE(bus_->read(target, holding(10, 2)));
    return std::chrono::duration_cast<Millis>(clock_.mono() - asked);
  };
  const Millis fast = wait(std::nullopt);
  EXPECT_EQ(fast, kTimeout + Millis{21} + Millis{20});  // the wire, and what drivers and adapters may add
  // 17 characters and 3.5 more of silence: 20.5 * (8.33 - 1.04) ms.
  EXPECT_NEAR(static_cast<double>((wait(LineMode{1200, 'N', 1}) - fast).count()), 149, 2);
}

struct Noise {
  int polls;
  Bytes before, after;
};

class NoisyLineTest : public SharedLineTest, public ::testing::WithParamInterface<Noise> {};

TEST_P(NoisyLineTest, GivesNoWrongValueBesideASecondMaster) {
  line_->noise_before = GetParam().before;
  line_->noise_after = GetParam().after;
  make_trouble(*line_);
  const int polls = GetParam().polls;
  int good = 0;
  for (int i = 0; i < polls; ++i) {
    const int unit = line_->pick(1, 4);
    const Block block =
        holding(line_->pick(0, 10'000), std::array{1, 2, 10}.at(static_cast<std::size_t>(line_->pick(0, 2))));
    const Result<Words> words = read(unit, block);
    clock_.advance(Millis{line_->pick(0, 100)});
    if (!words) continue;
    ++good;
    ASSERT_EQ(*words, values(unit, block)) << "poll " << i;
  }
  EXPECT_GT(good, polls * 3 / 10);
  EXPECT_GT(bus_->counters().late_frames, polls * 3 / 100);
  EXPECT_GT(bus_->counters().foreign_frames, polls * 2 / 10);
  EXPECT_GT(bus_->counters().crc, polls * 3 / 100);
}
INSTANTIATE_TEST_SUITE_P(Noise, NoisyLineTest,
                         ::testing::Values(Noise{10'000, {}, {}}, Noise{2'000, {0}, {}}, Noise{2'000, {1, 3}, {}},
                                           Noise{2'000, {}, {0}}, Noise{2'000, {}, {0, 0}},
                                           Noise{2'000, {0xFF}, {0, 0}}));

/// The same line as a master has it that compares unit, function and length and waits for silence.
TEST_F(SharedLineTest, WouldGiveWrongValuesThereToAMasterThatOnlyComparesFrames) {
  make_trouble(*line_);
  int wrong = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Block block = holding(line_->pick(0, 10'000), 2);
    const Request request = *to_request(block);
    Bytes strays;
    if (!line_->settle(Nanos{0}, &strays)) continue;
    EXPECT_TRUE(line_->send(1, request.pdu).status);
    const MonoTime deadline = clock_.mono() + kTimeout;
    for (;;) {
      const Result<ModbusLink::Frame> frame = line_->receive(1, request.shape, deadline);
      if (!frame) break;
      if (frame->unit != 1 || fit(request, frame->pdu.data(), frame->pdu.size()) != Fit::kAnswer) continue;
      if (words_of(block, frame->pdu.data()) != values(1, block)) ++wrong;
      break;
    }
  }
  EXPECT_GT(wrong, 20);
}

}  // namespace
}  // namespace metergate
