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

  bool whole(std::size_t length) const { return length <= size && is_rtu_frame(at, length); }
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

/// The answer to a write of one value is the request again.
bool is_echoed(const Shape& shape) { return shape.function == 5 || shape.function == 6; }

/// `at`: where the noise before it begins.
ModbusLink::Frame frame_of(const std::uint8_t* at, std::size_t noise, std::size_t size) {
  ModbusLink::Frame frame;
  frame.unit = at[noise];
  frame.pdu.assign(at + noise + 1, at + noise + size - 2);
  frame.noise = noise;
  frame.wire.assign(at, at + noise + size);
  return frame;
}

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

bool is_rtu_frame(const std::uint8_t* bytes, std::size_t size) {
  if (size < kAround + 1) return false;
  const std::uint16_t sum = check_sum(bytes, size - 2);
  return bytes[size - 2] == (sum & 0xFF) && bytes[size - 1] == sum >> 8;
}

std::vector<ModbusLink::Frame> frames_in(const Bytes& bytes) {
  std::vector<ModbusLink::Frame> frames;
  std::size_t noise = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t size = look_at({bytes.data() + i, bytes.size() - i}, 0).size;
    if (size > 0) frames.push_back(frame_of(bytes.data() + i - noise, noise, size));
    noise = size > 0 ? 0 : noise + 1;
    i += std::max<std::size_t>(size, 1);
  }
  return frames;
}

std::vector<std::size_t> RtuReceiver::places(const Shape& shape) const {
  std::vector<std::size_t> places{0};
  for (std::size_t i = 1; i <= kMostNoise && !is_echoed(shape); ++i) places.push_back(i);
  const std::size_t echo = sent_.empty() ? 0 : sent_.size() - 1;
  const std::size_t size = std::min(echo, heard_.size());
  const auto equals = [&](std::size_t from) {
    return std::equal(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(size),
                      sent_.begin() + static_cast<std::ptrdiff_t>(from));
  };
  if (echo > kMostNoise && (equals(0) || equals(1))) places.push_back(echo);
  return places;
}

/// What has come from `place` on is the awaited answer or an exception, or its beginning.
bool RtuReceiver::may_begin(std::size_t place, int unit, const Shape& shape) const {
  if (place >= heard_.size()) return true;
  if (heard_[place] != unit) return false;
  if (place + 1 >= heard_.size()) return true;
  return (heard_[place + 1] & ~0x80) == shape.function;
}

bool RtuReceiver::may_come(int unit, const Shape& shape) const {
  const std::vector<std::size_t> all = places(shape);
  return std::any_of(all.begin() + 1, all.end(), [&](std::size_t place) {
    return may_begin(place, unit, shape) && heard_.size() < place + shape.answer_size + kAround;
  });
}

ModbusLink::Frame RtuReceiver::take(std::size_t noise, std::size_t size) {
  ModbusLink::Frame frame = frame_of(heard_.data(), noise, size);
  frame.past_echo = noise > kMostNoise;
  heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(noise + size));
  return frame;
}

std::optional<ModbusLink::Frame> RtuReceiver::find_awaited(int unit, const Shape& shape) {
  for (const std::size_t place : places(shape)) {
    for (const std::size_t size : {shape.answer_size + kAround, kExceptionFrame}) {
      if (place + size > heard_.size()) continue;
      const Heard heard{heard_.data() + place, heard_.size() - place};
      if (heard.at[0] != unit || !heard.whole(size)) continue;
      const Bytes pdu(heard.at + 1, heard.at + size - 2);
      if (!can_answer(pdu, shape)) continue;
      const std::size_t longer = look_at(heard, 0).size;
      if (longer > size) {
        const bool may_be_request = asked_by(Bytes(heard.at + 1, heard.at + longer - 2)).has_value();
        if (may_be_request && !sends_zeros_[heard.at[0]]) continue;
        if (!may_be_request) sends_zeros_.set(heard.at[0]);
      }
      return take(place, size);
    }
  }
  return std::nullopt;
}

Result<ModbusLink::Frame> RtuReceiver::receive(int unit, const Shape& shape, MonoTime deadline) {
  for (bool last = false;;) {
    if (auto frame = find_awaited(unit, shape)) return std::move(*frame);
    const bool its = heard_.size() < 2 || (heard_[0] == unit && heard_[1] == shape.function);
    const Look look = look_at({heard_.data(), heard_.size()}, its && !last ? shape.answer_size + kAround : 0);
    if (look.size > 0) return take(0, look.size);
    if (!look.more && (last || !may_come(unit, shape))) return Error{Errc::kCrc, "check sum wrong"};
    if (last) {
      const bool whole =
          its && heard_.size() >= shape.answer_size + kAround &&
          can_answer(Bytes(heard_.begin() + 1, heard_.begin() + 1 + static_cast<std::ptrdiff_t>(shape.answer_size)),
                     shape);
      return whole ? Error{Errc::kCrc, "check sum wrong"} : Error{Errc::kGarbled, "the answer broke off"};
    }
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
