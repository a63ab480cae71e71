#include "drivers/modbus/rtu_frames.h"

#include <algorithm>
#include <array>
#include <utility>

namespace metergate {

namespace {

constexpr std::size_t kAround = 3;  // unit and check sum
constexpr std::size_t kLongest = 256;
constexpr std::size_t kExceptionFrame = 5, kShortFrame = 8;
constexpr std::size_t kUnknown = kLongest + kAround;  // more has to come before it shows

std::uint16_t check_sum(const std::uint8_t* bytes, std::size_t size) {
  std::uint16_t sum = 0xFFFF;
  for (std::size_t i = 0; i < size; ++i) {
    sum = static_cast<std::uint16_t>(sum ^ bytes[i]);
    for (int bit = 0; bit < 8; ++bit) sum = static_cast<std::uint16_t>((sum & 1) != 0 ? sum >> 1 ^ 0xA001 : sum >> 1);
  }
  return sum;
}

struct Heard {
  const std::uint8_t* at;
  std::size_t size;

  bool whole(std::size_t length) const {
    if (length < kAround + 1 || length > size) return false;
    const std::uint16_t sum = check_sum(at, length - 2);
    return at[length - 2] == (sum & 0xFF) && at[length - 1] == sum >> 8;
  }
  std::size_t counted(std::size_t place, std::size_t others) const {
    return size > place ? at[place] + others : kUnknown;
  }
};

/// What the frame's length is if it is an answer, and if it is a request; 0: it is none.
std::array<std::size_t, 2> lengths(const Heard& heard) {
  const int function = heard.at[1];
  if ((function & 0x80) != 0) return {kExceptionFrame, 0};
  switch (function) {
    case 1:
    case 2:
    case 3:
    case 4:
      return {heard.counted(2, kAround + 2), kShortFrame};
    case 5:
    case 6:
      return {kShortFrame, kShortFrame};
    case 15:
    case 16:
      return {kShortFrame, heard.counted(6, kAround + 6)};
    default:
      return {0, 0};
  }
}

struct Look {
  std::size_t size = 0;  ///< of the frame at the beginning; 0: none
  bool more = false;     ///< there may be one when more has come
};

Look look_at(const Heard& heard, std::size_t awaited) {
  if (heard.size < 2) return {0, true};
  auto [longer, shorter] = lengths(heard);
  if (longer < shorter) std::swap(longer, shorter);
  if (heard.whole(longer)) return {longer, false};
  const bool more = longer > heard.size;
  if (more && longer == awaited) return {0, true};
  if (heard.whole(shorter)) return {shorter, false};
  return {0, more || shorter > heard.size};
}

ModbusLink::Frame frame_of(const std::uint8_t* at, std::size_t size) { return {at[0], Bytes(at + 1, at + size - 2)}; }

}  // namespace

Bytes rtu_frame(int unit, const Bytes& pdu) {
  Bytes frame;
  frame.reserve(pdu.size() + kAround);
  frame.push_back(static_cast<std::uint8_t>(unit));
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  const std::uint16_t sum = check_sum(frame.data(), frame.size());
  frame.push_back(static_cast<std::uint8_t>(sum & 0xFF));
  frame.push_back(static_cast<std::uint8_t>(sum >> 8));
  return frame;
}

std::vector<ModbusLink::Frame> frames_in(const Bytes& bytes) {
  std::vector<ModbusLink::Frame> frames;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t size = look_at({bytes.data() + i, bytes.size() - i}, 0).size;
    if (size > 0) frames.push_back(frame_of(bytes.data() + i, size));
    i += std::max<std::size_t>(size, 1);
  }
  return frames;
}

Result<ModbusLink::Frame> RtuReceiver::receive(int unit, const Shape& shape, MonoTime deadline) {
  for (bool last = false;;) {
    const bool its = heard_.size() < 2 || (heard_[0] == unit && heard_[1] == shape.function);
    const Look look = look_at({heard_.data(), heard_.size()}, its && !last ? shape.answer_size + kAround : 0);
    if (look.size > 0) {
      const ModbusLink::Frame frame = frame_of(heard_.data(), look.size);
      heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(look.size));
      return frame;
    }
    if (!look.more) return Error{Errc::kCrc, "check sum wrong"};
    if (last) return Error{Errc::kGarbled, "the answer broke off"};
    std::array<std::uint8_t, kLongest> bytes{};
    const Result<std::size_t> n = read_(bytes.data(), bytes.size(), deadline);
    if (n) {
      heard_.insert(heard_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*n));
      continue;
    }
    if (n.error().code != Errc::kTimeout) return n.error();
    if (heard_.empty()) return Error{Errc::kTimeout, "no answer"};
    last = true;
  }
}

Bytes RtuReceiver::take_rest() { return std::exchange(heard_, Bytes()); }

}  // namespace metergate
