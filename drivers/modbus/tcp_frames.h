#pragma once

#include <cstdint>
#include <functional>

#include "drivers/modbus/modbus_link.h"

namespace metergate {

/// A PDU with the header of Modbus TCP (Modbus Messaging on TCP/IP V1.0b, 3.1.3).
Bytes tcp_frame(std::uint16_t transaction, int unit, const Bytes& pdu);

/// Cuts what comes over a connection into frames. Not for several threads.
///
/// Where the function tells the length of an answer, it decides, and not the header. libmodbus does the same, so a
/// server with a wrong length in its header works with many clients.
class TcpReceiver {
 public:
  /// As Port::read.
  using Read = std::function<Result<std::size_t>(std::uint8_t* to, std::size_t size, MonoTime deadline)>;
  explicit TcpReceiver(Read read) : read_(std::move(read)) {}

  /// The next frame; it answers the request `transaction`, or has Frame::other_transaction. Errors: as Port::read;
  /// kGarbled: no frame of Modbus TCP, or it broke off.
  Result<ModbusLink::Frame> receive(std::uint16_t transaction, MonoTime deadline);
  /// Takes out what was heard and is no frame yet.
  Bytes take_rest();
  const Bytes& rest() const { return heard_; }

 private:
  Result<bool> has(std::size_t size, MonoTime deadline);

  Read read_;
  Bytes heard_;
};

}  // namespace metergate
