#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "drivers/modbus/modbus_link.h"

namespace metergate {

/// Unit, PDU and check sum, as they go over a serial line (Modbus over serial line V1.02, 2.5.1 and 6.2.2).
Bytes rtu_frame(int unit, const Bytes& pdu);

/// The frames in these bytes, which are all that came: requests and answers of all units. Anything else is skipped.
std::vector<ModbusLink::Frame> frames_in(const Bytes& bytes);

/// Cuts what is heard on a line into frames. Not by silence, which adapters and serial servers blur, but by the lengths
/// that a request or answer can have and the check sum. Not for several threads.
class RtuReceiver {
 public:
  /// As Port::read.
  using Read = std::function<Result<std::size_t>(std::uint8_t* to, std::size_t size, MonoTime deadline)>;
  explicit RtuReceiver(Read read) : read_(std::move(read)) {}

  /// The next frame of any unit. `unit` and `shape` are those of the awaited answer: where the same bytes may be its
  /// beginning or something shorter, the rest is waited for. Errors: as Port::read; kCrc: what came is no frame;
  /// kGarbled: it broke off.
  Result<ModbusLink::Frame> receive(int unit, const Shape& shape, MonoTime deadline);
  /// Takes out what was heard and is no frame yet.
  Bytes take_rest();

 private:
  Read read_;
  Bytes heard_;
};

}  // namespace metergate
