#include "drivers/modbus/tcp_frames.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>

namespace metergate {
namespace {

constexpr MonoTime kDeadline{std::chrono::hours(1)};

class TcpReceiverTest : public ::testing::Test {
 protected:
  void comes(std::vector<Bytes> pieces) { pieces_.assign(pieces.begin(), pieces.end()); }
  Result<ModbusLink::Frame> receive() { return receiver_.receive(0x1501, kDeadline); }
  Errc error() {
    const Result<ModbusLink::Frame> frame = receive();
    receiver_.take_rest();
    return frame ? Errc::kNotFound : frame.error().code;
  }

  std::deque<Bytes> pieces_;
  TcpReceiver receiver_{[this](std::uint8_t* to, std::size_t size, MonoTime) -> Result<std::size_t> {
    if (pieces_.empty()) return Error{Errc::kTimeout, "silence"};
    const Bytes piece = pieces_.front();
    pieces_.pop_front();
    EXPECT_LE(piece.size(), size);
    std::copy(piece.begin(), piece.end(), to);
    return piece.size();
  }};
};

// Modbus Messaging on TCP/IP V1.0b, 3.1.3 and its example: transaction 0x1501, one register of unit 0xFF.
const Bytes kRequest{0x15, 0x01, 0x00, 0x00, 0x00, 0x06, 0xFF, 0x03, 0x00, 0x04, 0x00, 0x01};
const Bytes kAnswer{0x15, 0x01, 0x00, 0x00, 0x00, 0x05, 0xFF, 0x03, 0x02, 0x00, 0x05};

TEST_F(TcpReceiverTest, PutsTheHeaderBeforeAPdu) { EXPECT_EQ(tcp_frame(0x1501, 0xFF, {3, 0, 4, 0, 1}), kRequest); }

TEST_F(TcpReceiverTest, FindsAFrameHoweverItIsCut) {
  for (std::size_t cut = 1; cut < kAnswer.size(); ++cut) {
    const auto at = kAnswer.begin() + static_cast<std::ptrdiff_t>(cut);
    comes({{kAnswer.begin(), at}, {at, kAnswer.end()}});

    const Result<ModbusLink::Frame> frame = receive();

    ASSERT_TRUE(frame) << cut;
    EXPECT_EQ(frame->unit, 0xFF);
    EXPECT_EQ(frame->pdu, (Bytes{3, 2, 0, 5}));
    EXPECT_FALSE(frame->other_transaction);
  }
}

TEST_F(TcpReceiverTest, FindsTheFramesThatCameTogether) {
  Bytes both = kAnswer;
  both[1] = 0;
  both.insert(both.end(), kAnswer.begin(), kAnswer.end());
  comes({both});

  EXPECT_TRUE(receive()->other_transaction);
  EXPECT_FALSE(receive()->other_transaction);
}

TEST_F(TcpReceiverTest, TrustsTheFunctionMoreThanTheLengthInTheHeader) {
  for (const Bytes& pdu : {Bytes{1, 1, 5}, Bytes{3, 2, 0, 5}, Bytes{4, 4, 0, 5, 0, 6}, Bytes{5, 0, 1, 0xFF, 0},
                           Bytes{16, 0, 1, 0, 2}, Bytes{0x83, 2}}) {
    for (const std::uint8_t length : {std::uint8_t{6}, std::uint8_t{11}, std::uint8_t{0}}) {
      Bytes frame = tcp_frame(0x1501, 1, pdu);
      frame[5] = length;
      comes({frame});

      EXPECT_EQ(receive()->pdu, pdu) << int{length};
    }
  }
}

TEST_F(TcpReceiverTest, TakesTheLengthInTheHeaderForOtherFunctions) {
  comes({tcp_frame(0x1501, 1, {0x2B, 0x0E, 1, 1, 0})});

  EXPECT_EQ(receive()->pdu, (Bytes{0x2B, 0x0E, 1, 1, 0}));
}

TEST_F(TcpReceiverTest, TellsSilenceFromAFrameThatBreaksOffAndFromNone) {
  comes({});
  EXPECT_EQ(error(), Errc::kTimeout);
  comes({{kAnswer.begin(), kAnswer.end() - 1}});
  EXPECT_EQ(error(), Errc::kGarbled);
  comes({{kAnswer.begin(), kAnswer.begin() + 4}});
  EXPECT_EQ(error(), Errc::kGarbled);
  Bytes other_protocol = kAnswer;
  other_protocol[3] = 1;
  comes({other_protocol});
  EXPECT_EQ(error(), Errc::kGarbled);
  const Bytes too_long = tcp_frame(0x1501, 1, Bytes(254, 0x2B));
  comes({{too_long.begin(), too_long.begin() + 200}, {too_long.begin() + 200, too_long.end()}});
  EXPECT_EQ(error(), Errc::kGarbled);
}

}  // namespace
}  // namespace metergate
