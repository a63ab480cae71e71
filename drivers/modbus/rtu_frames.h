#pragma once

#include <bitset>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "drivers/modbus/modbus_link.h"

namespace metergate {

/// Unit, PDU and check sum, as they go over a serial line (Modbus over serial line V1.02, 2.5.1 and 6.2.2).
Bytes rtu_frame(int unit, const Bytes& pdu);

/// Whether the check sum at the end is that of the bytes before it.
bool is_rtu_frame(const std::uint8_t* bytes, std::size_t size);

/// The frames in these bytes, which are all that came: requests and answers of all units. Anything else is skipped, and
/// counted as Frame::noise of the frame behind it.
std::vector<ModbusLink::Frame> frames_in(const Bytes& bytes);

/// Cuts what is heard on a line into frames. Not by silence, which adapters and serial servers blur, but by the lengths
/// that a request or answer can have and the check sum. Not for several threads.
///
/// Two faults are common and do not hide the awaited answer, which is known by unit, function, length and check sum:
/// - Zeros behind it. CRC-16 over a frame and its own check sum is zero and stays zero with zeros behind, so answer and
///   zeros together look like a longer frame. The awaited length decides, unless the longer frame is a request that a
///   second master may have sent; then only for a unit that was seen to send zeros behind what can be no request.
/// - Noise before it: up to kMostNoise bytes, or our own request but for its first or last byte. More is not passed
///   over: it could be what is left of a second master's request, and then the answer is to that. Nor is noise before
///   the answer to a write of one value, which could be our own request.
class RtuReceiver {
 public:
  static constexpr std::size_t kMostNoise = 2;  ///< fewer than stand before the values of any answer
  /// As Port::read.
  using Read = std::function<Result<std::size_t>(std::uint8_t* to, std::size_t size, MonoTime deadline)>;
  explicit RtuReceiver(Read read) : read_(std::move(read)) {}

  /// The request that is answered next, as it went over the line.
  void sent(const Bytes& frame) { sent_ = frame; }

  /// The next frame of any unit. `unit` and `shape` are those of the awaited answer: where the same bytes may be its
  /// beginning or something shorter, the rest is waited for. Errors: as Port::read; kCrc: what came is no frame;
  /// kGarbled: it broke off.
  Result<ModbusLink::Frame> receive(int unit, const Shape& shape, MonoTime deadline);
  /// Takes out what was heard and is no frame yet.
  Bytes take_rest();
  const Bytes& rest() const { return heard_; }

 private:
  /// Where the awaited answer may begin.
  std::vector<std::size_t> places(const Shape& shape) const;
  bool may_begin(std::size_t place, int unit, const Shape& shape) const;
  bool may_come(int unit, const Shape& shape) const;
  std::optional<ModbusLink::Frame> find_awaited(int unit, const Shape& shape);
  ModbusLink::Frame take(std::size_t noise, std::size_t size);

  Read read_;
  Bytes heard_;
  Bytes sent_;
  std::bitset<256> sends_zeros_;  // units, behind their answers
};

}  // namespace metergate
