#include "drivers/modbus/tcp_frames.h"

#include <array>
#include <utility>

namespace metergate {

namespace {

constexpr std::size_t kUnitAt = 6, kHeader = 7;  // transaction, protocol, length, unit
constexpr std::size_t kLongest = 260;
constexpr std::size_t kExceptionSize = 2, kReadHeader = 2, kWriteAnswer = 5;
constexpr std::uint8_t kExceptionBit = 0x80;

std::size_t word_at(const Bytes& bytes, std::size_t at) { return std::size_t{bytes[at]} << 8 | bytes[at + 1]; }

/// Of the PDU, by its first two bytes; 0: the function does not tell.
std::size_t answer_size(std::uint8_t function, std::uint8_t next) {
  if ((function & kExceptionBit) != 0) return kExceptionSize;
  switch (function) {
    case 1:
    case 2:
    case 3:
    case 4:
      return kReadHeader + next;
    case 5:
    case 6:
    case 15:
    case 16:
      return kWriteAnswer;
    default:
      return 0;
  }
}

}  // namespace

Bytes tcp_frame(std::uint16_t transaction, int unit, const Bytes& pdu) {
  const std::size_t length = 1 + pdu.size();
  Bytes frame{static_cast<std::uint8_t>(transaction >> 8),
              static_cast<std::uint8_t>(transaction & 0xFF),
              0,
              0,
              static_cast<std::uint8_t>(length >> 8),
              static_cast<std::uint8_t>(length & 0xFF),
              static_cast<std::uint8_t>(unit)};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  return frame;
}

/// False: the deadline passed before so many bytes were there.
Result<bool> TcpReceiver::has(std::size_t size, MonoTime deadline) {
  while (heard_.size() < size) {
    std::array<std::uint8_t, kLongest> bytes{};
    const Result<std::size_t> n = read_(bytes.data(), bytes.size(), deadline);
    if (!n && n.error().code == Errc::kTimeout) return false;
    if (!n) return n.error();
    heard_.insert(heard_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*n));
  }
  return true;
}

Result<ModbusLink::Frame> TcpReceiver::receive(std::uint16_t transaction, MonoTime deadline) {
  const auto broke_off = [this] {
    return heard_.empty() ? Error{Errc::kTimeout, "no answer"} : Error{Errc::kGarbled, "the answer broke off"};
  };
  const Result<bool> begun = has(kHeader + kExceptionSize, deadline);
  if (!begun) return begun.error();
  if (!*begun) return broke_off();
  const std::size_t length = word_at(heard_, kUnitAt - 2);
  std::size_t size = answer_size(heard_[kHeader], heard_[kHeader + 1]);
  if (size == 0 && length > kExceptionSize) size = length - 1;
  if (word_at(heard_, 2) != 0 || size == 0 || kHeader + size > kLongest) {
    return Error{Errc::kGarbled, "no Modbus TCP frame"};
  }
  const Result<bool> whole = has(kHeader + size, deadline);
  if (!whole) return whole.error();
  if (!*whole) return broke_off();
  ModbusLink::Frame frame;
  const auto pdu = heard_.begin() + kHeader, end = pdu + static_cast<std::ptrdiff_t>(size);
  frame.unit = heard_[kUnitAt];
  frame.pdu.assign(pdu, end);
  frame.other_transaction = word_at(heard_, 0) != transaction;
  frame.wire.assign(heard_.begin(), end);
  heard_.erase(heard_.begin(), end);
  return frame;
}

Bytes TcpReceiver::take_rest() { return std::exchange(heard_, Bytes()); }

}  // namespace metergate
