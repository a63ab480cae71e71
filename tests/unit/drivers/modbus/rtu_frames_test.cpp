#include "drivers/modbus/rtu_frames.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>

namespace metergate {
namespace {

constexpr MonoTime kDeadline{std::chrono::hours(1)};

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class RtuReceiverTest : public ::testing::Test {
 protected:
  /// What comes off the line, a piece a read; then silence.
  void line(std::vector<Bytes> pieces) { pieces_.assign(pieces.begin(), pieces.end()); }
  Result<ModbusLink::Frame> receive(int unit, const Shape& shape) { return receiver_.receive(unit, shape, kDeadline); }
  static Shape registers(int count) { return shape_of({Table::kHolding, 0, static_cast<std::uint16_t>(count)}); }
  static Shape coils(int count) { return shape_of({Table::kCoil, 0, static_cast<std::uint16_t>(count)}); }

  std::deque<Bytes> pieces_;
  RtuReceiver receiver_{[this](std::uint8_t* to, std::size_t size, MonoTime) -> Result<std::size_t> {
    if (pieces_.empty()) return Error{Errc::kTimeout, "silence"};
    const Bytes piece = pieces_.front();
    pieces_.pop_front();
    EXPECT_LE(piece.size(), size);
    std::copy(piece.begin(), piece.end(), to);
    return piece.size();
  }};
};

// A frame that was read off a meter's line: one register of unit 1, value 100.
const Bytes kHundred{0x01, 0x03, 0x02, 0x00, 0x64, 0xB9, 0xAF};

TEST_F(RtuReceiverTest, PutsUnitAndCheckSumAroundAPdu) { EXPECT_EQ(rtu_frame(1, {0x03, 0x02, 0x00, 0x64}), kHundred); }

TEST_F(RtuReceiverTest, FindsAFrameHoweverItIsCut) {
  for (std::size_t cut = 0; cut < kHundred.size(); ++cut) {
    const auto at = kHundred.begin() + static_cast<std::ptrdiff_t>(cut);
    line(cut == 0 ? std::vector<Bytes>{kHundred} : std::vector<Bytes>{{kHundred.begin(), at}, {at, kHundred.end()}});

    const Result<ModbusLink::Frame> frame = receive(1, registers(1));

    ASSERT_TRUE(frame) << cut;
    EXPECT_EQ(frame->unit, 1);
    EXPECT_EQ(frame->pdu, (Bytes{0x03, 0x02, 0x00, 0x64}));
  }
}

TEST_F(RtuReceiverTest, TellsSilenceFromDamageAndFromAFrameThatBreaksOff) {
  const auto code_of = [&](std::vector<Bytes> pieces) {
    line(std::move(pieces));
    const Result<ModbusLink::Frame> frame = receive(1, registers(2));
    receiver_.take_rest();
    return frame ? Errc::kNotFound : frame.error().code;
  };
  EXPECT_EQ(code_of({}), Errc::kTimeout);
  Bytes frame = rtu_frame(1, {3, 4, 0, 1, 0, 2});
  EXPECT_EQ(code_of({{frame.begin(), frame.end() - 1}}), Errc::kGarbled);
  frame[4] ^= 0x20;
  EXPECT_EQ(code_of({frame}), Errc::kCrc);
}

TEST_F(RtuReceiverTest, KnowsTheLengthsOfEveryFunctionsRequestAndAnswer) {
  const std::vector<Bytes> pdus{
      {1, 0, 0, 0, 3},        {1, 1, 5},        {2, 0, 0, 0, 9},           {2, 2, 5, 1},       {3, 0, 0, 0, 2},
      {3, 4, 0, 1, 0, 2},     {4, 0, 0, 0, 2},  {4, 4, 0, 1, 0, 2},        {5, 0, 1, 0xFF, 0}, {6, 0, 1, 0, 3},
      {15, 0, 0, 0, 2, 1, 3}, {15, 0, 0, 0, 2}, {16, 0, 0, 0, 1, 2, 0, 3}, {16, 0, 0, 0, 1},   {0x83, 2}};
  Bytes all;
  for (const Bytes& pdu : pdus) all = all + rtu_frame(17, pdu);

  const std::vector<ModbusLink::Frame> frames = frames_in(Bytes{0xFF, 0x00} + all);

  ASSERT_EQ(frames.size(), pdus.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].unit, 17);
    EXPECT_EQ(frames[i].pdu, pdus[i]);
  }
}

TEST_F(RtuReceiverTest, CallsAShortAnswerWithAWrongBitDamaged) {
  Bytes frame = kHundred;
  frame[4] ^= 1;
  line({frame});

  EXPECT_EQ(receive(1, registers(1)).error().code, Errc::kCrc);
}

TEST_F(RtuReceiverTest, TakesAnAnswerWithZerosBehindItForTheAnswer) {
  for (const std::size_t zeros : {1u, 2u}) {
    for (const auto& [pdu, shape] :
         {std::pair{Bytes{3, 2, 0, 100}, registers(1)}, std::pair{Bytes{1, 1, 0x5A}, coils(8)},
          std::pair{Bytes{1, 2, 0x5A, 1}, coils(9)}, std::pair{Bytes{3, 4, 0, 100, 0, 0}, registers(2)}}) {
      line({rtu_frame(1, pdu) + Bytes(zeros)});

      const Result<ModbusLink::Frame> frame = receive(1, shape);

      ASSERT_TRUE(frame) << frame.error().detail;
      EXPECT_EQ(frame->pdu, pdu);
      EXPECT_EQ(receiver_.take_rest(), Bytes(zeros));
    }
  }
}

// The value 0 of one register of unit 4 with a zero behind it; and: unit 4, 116 registers from 512 on.
const Bytes kAmbiguous = rtu_frame(4, {3, 2, 0, 0}) + Bytes(1);

TEST_F(RtuReceiverTest, TakesWhatASecondMasterMayHaveSentForHisRequest) {
  line({kAmbiguous});

  const Result<ModbusLink::Frame> frame = receive(4, registers(1));

  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->pdu.size(), 5u);
  EXPECT_TRUE(asked_by(frame->pdu));
}

TEST_F(RtuReceiverTest, TakesTheSameForTheAnswerOfAUnitThatWasSeenToSendZeros) {
  line({rtu_frame(4, {3, 2, 0, 200}) + Bytes(1)});
  EXPECT_TRUE(receive(4, registers(1)));
  receiver_.take_rest();
  line({kAmbiguous});

  EXPECT_EQ(receive(4, registers(1))->pdu.size(), 4u);
}

TEST_F(RtuReceiverTest, PassesOverNoiseBeforeTheAnswer) {
  for (const int registers_asked : {1, 2, 10}) {
    Bytes pdu{3, static_cast<std::uint8_t>(2 * registers_asked)};
    pdu.resize(static_cast<std::size_t>(2 + 2 * registers_asked), 7);
    for (const Bytes& noise : {Bytes{0}, Bytes{0xFF}, Bytes{1}, Bytes{0, 0}, Bytes{1, 3}, Bytes{0xFF, 1}}) {
      const Bytes heard = noise + rtu_frame(1, pdu);
      for (std::size_t cut = 1; cut < heard.size(); ++cut) {
        const auto at = heard.begin() + static_cast<std::ptrdiff_t>(cut);
        line({{heard.begin(), at}, {at, heard.end()}});

        const Result<ModbusLink::Frame> frame = receive(1, registers(registers_asked));

        ASSERT_TRUE(frame) << ::testing::PrintToString(heard) << " cut at " << cut << ": " << frame.error().detail;
        EXPECT_EQ(frame->pdu, pdu);
        EXPECT_EQ(frame->noise, noise.size());
        EXPECT_FALSE(frame->past_echo);
      }
    }
  }
}

TEST_F(RtuReceiverTest, PassesOverItsOwnRequestWithoutItsFirstOrLastByte) {
  const Bytes request = rtu_frame(1, {3, 0, 10, 0, 1});
  receiver_.sent(request);
  for (const Bytes& echo : {Bytes(request.begin() + 1, request.end()), Bytes(request.begin(), request.end() - 1)}) {
    const Bytes heard = echo + kHundred;
    for (std::size_t cut = 1; cut < heard.size(); ++cut) {
      const auto at = heard.begin() + static_cast<std::ptrdiff_t>(cut);
      line({{heard.begin(), at}, {at, heard.end()}});

      const Result<ModbusLink::Frame> frame = receive(1, registers(1));

      ASSERT_TRUE(frame) << "cut at " << cut << ": " << frame.error().detail;
      EXPECT_EQ(frame->pdu, (Bytes{3, 2, 0, 100}));
      EXPECT_TRUE(frame->past_echo);
    }
  }
}

TEST_F(RtuReceiverTest, PassesOverNothingThatMayBeASecondMastersRequest) {
  const Bytes request = rtu_frame(1, {3, 0, 10, 0, 1});
  receiver_.sent(request);
  Bytes broken = rtu_frame(1, {3, 0, 20, 0, 1});
  broken[3] ^= 0x40;
  for (std::size_t first = 0; first < 6; ++first) {
    line({Bytes(broken.begin() + static_cast<std::ptrdiff_t>(first), broken.end()) + kHundred});

    EXPECT_FALSE(receive(1, registers(1))) << first;
    receiver_.take_rest();
  }
}

TEST_F(RtuReceiverTest, TakesNoWriteOfOneValueBehindNoiseForItsAnswer) {
  const Bytes request = rtu_frame(1, {6, 0, 7, 0, 1});
  receiver_.sent(request);
  line({Bytes{0} + request});

  EXPECT_FALSE(receive(1, Shape{6, 5}));
}

TEST_F(RtuReceiverTest, TakesTheLongestAnswerThatAFrameCanBe) {
  Bytes pdu{3, 250};
  pdu.resize(252);
  const Bytes frame = rtu_frame(1, pdu);
  EXPECT_EQ(frame.size(), 255u);
  line({frame});

  ASSERT_TRUE(receive(1, registers(125)));
}

}  // namespace
}  // namespace metergate
