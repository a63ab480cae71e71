#include "drivers/dlt645/dlt645_master.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/rfc3339.h"
#include "drivers/bus_error.h"
#include "tests/fakes/dlt645_line.h"
#include "tests/fakes/hex_bytes.h"

namespace metergate {
namespace {

using testing::HasSubstr;

constexpr const char* kMeter = "000000000161";
constexpr std::uint32_t kEnergy = 0x00010000, kVoltage = 0x02010100, kBlock = 0x0001FF00;
constexpr std::uint8_t kNoData = 0x02;

class Dlt645MasterTest : public testing::Test {
 protected:
  Dlt645MasterTest() {
    SerialSettings serial;
    static_cast<LineMode&>(serial) = {2400, 'E', 1};
    settings_.port = serial;
    target_.address = kMeter;
    target_.family = Family::kDlt645;
    line_.meters[kMeter] = [](const Dlt645Frame& request) {
      return std::vector<Dlt645Line::Said>{{Dlt645Line::answer(request)}};
    };
  }

  static Block item(std::uint32_t id, int bytes = 4) {
    Block block = whole_item(id, Family::kDlt645);
    block.count = static_cast<std::uint16_t>(bytes);
    return block;
  }
  static Words words(const std::string& hex) {
    const Bytes bytes = hex_bytes(hex);
    return {bytes.begin(), bytes.end()};
  }
  static Words value(std::uint32_t id) {
    const Bytes bytes = Dlt645Line::value(kMeter, id);
    return {bytes.begin(), bytes.end()};
  }
  void answers(const std::function<std::vector<Dlt645Line::Said>(const Dlt645Frame&)>& meter) {
    line_.meters[kMeter] = meter;
  }
  Result<Words> read(std::uint32_t id, int bytes = 4) { return master_.read(target_, item(id, bytes)); }

  FakeClock clock_;
  Dlt645Line line_{clock_};
  BusSettings settings_;
  Target target_;
  Dlt645Master master_{settings_, line_.port, clock_};
};

TEST_F(Dlt645MasterTest, AsksWithFourFEsAndGivesTheBytesBehindTheItem) {
  Bytes sent;
  line_.port.sent = [&](const Bytes& bytes, bool) {
    sent = bytes;
    line_.port.say(clock_.mono() + Millis(20),
                   hex_bytes("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"));
  };
  const auto got = read(kEnergy);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(sent, hex_bytes("FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"));
  EXPECT_EQ(*got, words("26 00 00 00"));
}

TEST_F(Dlt645MasterTest, TakesAnyNumberOfFEsInFrontOfAnAnswer) {
  for (const int count : {0, 1, 2, 4, 7}) {
    answers([count](const Dlt645Frame& request) {
      return std::vector<Dlt645Line::Said>{{Dlt645Line::answer(request), Dlt645Line::kTurnaround, count}};
    });
    const auto got = read(kEnergy);
    ASSERT_TRUE(got) << count << ": " << got.error().detail;
    EXPECT_EQ(*got, value(kEnergy)) << count;
  }
}

TEST_F(Dlt645MasterTest, WaitsHalfASecondForEachByteOfAnAnswer) {
  line_.port.sent = [&](const Bytes&, bool) {
    MonoTime at = clock_.mono() + Millis(900);
    for (const std::uint8_t byte : hex_bytes("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16")) {
      line_.port.say(at, {byte});
      at += Millis(25);
    }
  };
  const auto got = read(kEnergy);
  ASSERT_TRUE(got) << got.error().detail;
}

TEST_F(Dlt645MasterTest, PassesOverTheAnswerToAnotherItem) {
  answers([](const Dlt645Frame&) { return std::vector<Dlt645Line::Said>{}; });
  const auto lost = read(kVoltage);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kTimeout);
  EXPECT_THAT(lost.error().detail, HasSubstr("address 000000000161, di 02010100: no answer"));
  answers([](const Dlt645Frame& request) {
    Dlt645Frame late = request;
    late.data = hex_bytes("00 01 01 02");
    return std::vector<Dlt645Line::Said>{{Dlt645Line::answer(late)},
                                         {Dlt645Line::answer(request), std::chrono::milliseconds(300)}};
  });
  const auto got = read(kEnergy);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(*got, value(kEnergy));
  EXPECT_EQ(master_.counters().late_frames, 1);
}

TEST_F(Dlt645MasterTest, GivesTheErrorWordOfTheMeter) {
  answers([](const Dlt645Frame& request) { return std::vector<Dlt645Line::Said>{{Dlt645Line::error(request, 6)}}; });
  const auto got = read(kEnergy);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kException);
  EXPECT_EQ(exception_code(got.error().exception), "not_authorised");
  EXPECT_THAT(got.error().detail, HasSubstr("no such data, not authorised"));
}

TEST_F(Dlt645MasterTest, NeverTakesAnErrorForAnAnswerWhileAnotherReadIsOpen) {
  answers([](const Dlt645Frame&) { return std::vector<Dlt645Line::Said>{}; });
  ASSERT_FALSE(read(kVoltage));
  // The late error to the first comes instead of the answer to the second.
  answers(
      [](const Dlt645Frame& request) { return std::vector<Dlt645Line::Said>{{Dlt645Line::error(request, kNoData)}}; });
  const auto got = read(kEnergy);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kGarbled) << got.error().detail;

  // The next is asked behind a guard read, whose answer shows that all is past.
  line_.asked.clear();
  answers([](const Dlt645Frame& request) {
    return std::vector<Dlt645Line::Said>{
        {Dlt645Line::item_of(request) == kEnergy ? Dlt645Line::error(request, kNoData) : Dlt645Line::answer(request)}};
  });
  const auto refused = read(kEnergy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kException) << refused.error().detail;
  ASSERT_EQ(line_.asked.size(), 2U);
  EXPECT_NE(Dlt645Line::item_of(line_.asked.front()), kEnergy);
  EXPECT_EQ(master_.counters().guards, 1);
}

TEST_F(Dlt645MasterTest, PassesOverItsOwnEcho) {
  const auto plain = line_.port.sent;
  line_.port.sent = [&](const Bytes& bytes, bool glued) {
    line_.port.say(clock_.mono(), bytes);
    plain(bytes, glued);
  };
  answers([](const Dlt645Frame& request) {
    return std::vector<Dlt645Line::Said>{{Dlt645Line::answer(request), std::chrono::milliseconds(200)}};
  });
  const auto got = read(kEnergy);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(*got, value(kEnergy));
  EXPECT_EQ(master_.counters().foreign_frames, 0);
}

TEST_F(Dlt645MasterTest, JoinsAValueOfSeveralFrames) {
  answers([](const Dlt645Frame& request) {
    Dlt645Frame part = request;
    part.control |= Dlt645Frame::kAnswerBit;
    part.data = hex_bytes("00 FF 01 00");
    if (request.function() == 0x11) {
      part.control |= Dlt645Frame::kMoreBit;
      part.data.insert(part.data.end(), {0x78, 0x56, 0x34, 0x12});
    } else {
      part.data.insert(part.data.end(), {0x11, 0x00, 0x00, 0x00, request.data.back()});
    }
    return std::vector<Dlt645Line::Said>{{part}};
  });
  const auto got = read(kBlock, 20);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(*got, words("78 56 34 12 11 00 00 00"));
  EXPECT_EQ(line_.asked.back().data, hex_bytes("00 FF 01 00 01"));
}

TEST_F(Dlt645MasterTest, AsksForNoMoreWhereTheBitForItAnnouncesEvents) {
  answers([](const Dlt645Frame& request) {
    Dlt645Frame frame = Dlt645Line::answer(request);
    frame.control |= Dlt645Frame::kMoreBit;
    return std::vector<Dlt645Line::Said>{{frame}};
  });
  ASSERT_TRUE(read(kEnergy));
  EXPECT_EQ(line_.asked.size(), 1U) << "the value is whole";
  // Of unknown length: the next part is the report of events.
  answers([](const Dlt645Frame& request) {
    Dlt645Frame frame = Dlt645Line::answer(request);
    frame.control |= Dlt645Frame::kMoreBit;
    if (request.function() == 0x12) frame.data = hex_bytes("01 15 00 04 00 00 00 00 00 00 00 00 00 00 00 00 01");
    return std::vector<Dlt645Line::Said>{{frame}};
  });
  const auto got = read(kEnergy, 0);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(*got, value(kEnergy));
}

TEST_F(Dlt645MasterTest, ReadsA1997MeterWithItsOwnCodes) {
  target_.family = Family::kDlt645Of1997;
  line_.port.sent = [&](const Bytes& bytes, bool) {
    EXPECT_EQ(bytes, hex_bytes("FE FE FE FE 68 61 01 00 00 00 00 68 01 02 43 C3 3B 16"));
    line_.port.say(clock_.mono() + Millis(20), hex_bytes("68 61 01 00 00 00 00 68 81 06 43 C3 59 33 33 33 B1 16"));
  };
  Block energy = whole_item(0x9010, Family::kDlt645Of1997);
  energy.count = 4;
  const auto got = master_.read(target_, energy);
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(*got, words("26 00 00 00"));
}

TEST_F(Dlt645MasterTest, TellsWhatWasWrongWithWhatCame) {
  line_.port.sent = [&](const Bytes&, bool) {
    line_.port.say(clock_.mono() + Millis(20),
                   hex_bytes("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8B 16"));
  };
  EXPECT_EQ(read(kEnergy).error().code, Errc::kCrc);
  line_.port.sent = [&](const Bytes&, bool) { line_.port.say(clock_.mono() + Millis(20), {0x12, 0x00}); };
  EXPECT_EQ(read(kEnergy).error().code, Errc::kGarbled);
  const BusCounters counted = master_.counters();
  EXPECT_EQ(counted.requests, 2);
  EXPECT_EQ(counted.crc, 1);
  EXPECT_EQ(counted.garbled, 1);
}

TEST_F(Dlt645MasterTest, LearnsHowLongAMeterTakes) {
  ASSERT_TRUE(read(kEnergy));
  const auto turnaround = master_.turnaround(target_);
  ASSERT_TRUE(turnaround);
  EXPECT_NEAR(static_cast<double>(turnaround->usual.count()), 30'000, 200);
}

TEST_F(Dlt645MasterTest, FindsAMeterByAPartOfItsAddress) {
  line_.meters.clear();
  line_.port.sent = [&](const Bytes& bytes, bool) {
    const auto found = find_dlt645(bytes);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->frame.address, "AAAAAAAAAA61");
    Dlt645Frame request = found->frame;
    request.address = kMeter;
    line_.port.say(clock_.mono() + Millis(30), to_bytes(Dlt645Line::answer(request)));
  };
  target_.address = "AAAAAAAAAA61";
  EXPECT_TRUE(read(kEnergy));
}

class Dlt645WriteTest : public Dlt645MasterTest {
 protected:
  Dlt645WriteTest() {
    target_.password = Password{2, "123456", "12345678"};
    target_.utc_offset = std::chrono::hours(8);
    answers([this](const Dlt645Frame& request) { return std::vector<Dlt645Line::Said>{{answer(request)}}; });
    clock_.step_utc(*parse_rfc3339("2026-11-28T02:20:30Z"));  // 10:20:30 at the meter
  }

  /// The meter's clock is right but for skew_.
  Dlt645Frame answer(const Dlt645Frame& request) {
    Dlt645Frame frame = request;
    frame.control |= Dlt645Frame::kAnswerBit;
    if (request.function() == 0x11) {
      const bool date = Dlt645Line::item_of(request) == 0x04000101;
      const std::string now = rfc3339(clock_.utc() + std::chrono::hours(8) + skew_);
      const auto two = [&now](std::size_t at) {
        return static_cast<std::uint8_t>((now[at] - '0') << 4 | (now[at + 1] - '0'));
      };
      const Bytes bytes = date ? Bytes{6, two(8), two(5), two(2)} : Bytes{two(17), two(14), two(11)};
      frame.data.insert(frame.data.end(), bytes.begin(), bytes.end());
      return frame;
    }
    if (word_ != 0) return Dlt645Line::error(request, word_);
    frame.data.clear();
    return frame;
  }
  Write relay(RelayOrder order) const {
    Write write;
    write.form = Write::Form::kRelay;
    write.values = {order};
    write.time = clock_.utc() + std::chrono::seconds(570);  // 10:30:00
    return write;
  }
  static Write clock() {
    Write write;
    write.form = Write::Form::kClock;
    return write;
  }

  Millis skew_{0};
  std::uint8_t word_ = 0;
};

TEST_F(Dlt645WriteTest, GivesTheRelayAnOrderWithPasswordOperatorAndEndOfValidity) {
  const WriteOutcome outcome = master_.write(target_, relay(kTrip));
  ASSERT_TRUE(outcome.status) << outcome.status.error().detail;
  EXPECT_TRUE(outcome.sent);
  EXPECT_EQ(to_bytes(line_.asked.back(), 0),
            hex_bytes("68 61 01 00 00 00 00 68 1C 10 35 89 67 45 AB 89 67 45 4D 33 33 63 43 5B 44 59 F9 16"));
}

TEST_F(Dlt645WriteTest, SendsNoPasswordAgainAfterItWasRefused) {
  word_ = 0x04;
  WriteOutcome outcome = master_.write(target_, relay(kTrip));
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kException);
  EXPECT_EQ(exception_code(outcome.status.error().exception), "not_authorised");
  word_ = 0;
  const std::size_t asked = line_.asked.size();
  outcome = master_.write(target_, relay(kTrip));
  ASSERT_FALSE(outcome.status);
  EXPECT_FALSE(outcome.sent);
  EXPECT_THAT(outcome.status.error().detail, testing::StartsWith("not_authorised: "));
  EXPECT_EQ(line_.asked.size(), asked);
}

TEST_F(Dlt645WriteTest, GivesNoOrderToAMeterWhoseClockIsWrong) {
  skew_ = std::chrono::minutes(-6);
  const WriteOutcome outcome = master_.write(target_, relay(kTrip));
  ASSERT_FALSE(outcome.status);
  EXPECT_FALSE(outcome.sent);
  EXPECT_THAT(outcome.status.error().detail, testing::StartsWith("clock_unsynced: "));
  EXPECT_EQ(line_.asked.back().function(), 0x11);
}

TEST_F(Dlt645WriteTest, TakesNoAcknowledgementForAnother) {
  // The first order stays unanswered; its acknowledgement comes just before the guard's answer of the second.
  bool late = false;
  answers([&](const Dlt645Frame& request) -> std::vector<Dlt645Line::Said> {
    if (request.function() == 0x1C) return {};
    if (!std::exchange(late, false)) return {{answer(request)}};
    return {{{kMeter, 0x9C, {}}}, {answer(request), Millis(300)}};
  });
  WriteOutcome outcome = master_.write(target_, relay(kTrip));
  EXPECT_EQ(outcome.status.error().code, Errc::kTimeout);
  EXPECT_TRUE(outcome.sent);
  late = true;
  outcome = master_.write(target_, relay(kClose));
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kTimeout) << "the late acknowledgement was taken";
}

TEST_F(Dlt645WriteTest, ShowsNoPassword) {
  struct Watch : BusObserver {
    void on_frame(FrameVerdict, const std::uint8_t* bytes, std::size_t size) override {
      frames.emplace_back(bytes, bytes + size);
    }
    std::vector<Bytes> frames;
  } watch;
  master_.observe(&watch);
  ASSERT_TRUE(master_.write(target_, relay(kTrip)).status);
  const Bytes password = hex_bytes("35 89 67 45");
  bool order = false;
  for (const Bytes& frame : watch.frames) {
    EXPECT_EQ(std::search(frame.begin(), frame.end(), password.begin(), password.end()), frame.end());
    const auto text = Dlt645Master::explain(frame.data(), frame.size());
    order = order || (text && text->function == 0x1C && text->address == kMeter);
  }
  EXPECT_TRUE(order);
}

TEST_F(Dlt645WriteTest, SetsAClockOnceADayAndByLittle) {
  skew_ = std::chrono::seconds(40);
  ASSERT_TRUE(master_.write(target_, clock()).status);
  EXPECT_EQ(line_.asked.back().control, 0x08);
  EXPECT_EQ(line_.asked.back().data.size(), 6U);
  WriteOutcome outcome = master_.write(target_, clock());
  ASSERT_FALSE(outcome.status);
  EXPECT_FALSE(outcome.sent);
  EXPECT_THAT(outcome.status.error().detail, testing::StartsWith("refused: "));
  clock_.advance(std::chrono::hours(24));
  skew_ = std::chrono::minutes(7);
  outcome = master_.write(target_, clock());
  ASSERT_FALSE(outcome.status);
  EXPECT_THAT(outcome.status.error().detail, testing::StartsWith("clock_unsynced: "));
  skew_ = Millis(0);
  clock_.step_utc(*parse_rfc3339("2026-11-29T15:55:00Z"));  // 23:55 at the meter
  outcome = master_.write(target_, clock());
  ASSERT_FALSE(outcome.status);
  EXPECT_THAT(outcome.status.error().detail, testing::HasSubstr("midnight"));
}

}  // namespace
}  // namespace metergate
