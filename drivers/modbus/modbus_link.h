#pragma once

#include <cstddef>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "drivers/modbus/pdu.h"
#include "drivers/port/port.h"

namespace metergate {

/// Modbus frames on a port: unit, header and check sum around a PDU. Not for several threads; every call bounded.
/// kBusDown from any call means that the port is closed.
class ModbusLink {
 public:
  virtual ~ModbusLink() = default;

  virtual Status open() = 0;  ///< as Bus::open
  virtual void close() = 0;
  virtual bool is_open() const = 0;
  virtual std::string name() const = 0;

  /// On a serial line, before settle: the mode of the next request and its answer. Errors: as Port::set_mode.
  virtual Status set_mode(const LineMode&) { return {}; }

  /// Before each request; as Port::settle. What was heard since the last answer goes to `strays` too.
  virtual Status settle(Nanos gap, Bytes* strays) = 0;

  struct Sent {
    Status status;
    bool any = false;  ///< a byte may have left
  };
  virtual Sent send(int unit, const Bytes& pdu) = 0;
  /// The last request as it went over the wire.
  virtual const Bytes& sent_bytes() const = 0;
  /// What was heard since the last frame and is none yet.
  virtual const Bytes& heard_bytes() const = 0;

  struct Frame {
    int unit = 0;
    Bytes pdu;                       ///< at least one byte
    std::size_t noise = 0;           ///< bytes before it that were passed over
    bool past_echo = false;          ///< they are our own request but for one byte: the transceiver echoes
    bool other_transaction = false;  ///< of Modbus TCP: its number is not the last request's
    Bytes wire;                      ///< as it came, with the noise before it
  };
  /// The next frame, on RTU of any unit; `unit` and `shape` are those of the awaited answer. Errors: kTimeout, kCrc,
  /// kGarbled, kBusDown.
  virtual Result<Frame> receive(int unit, const Shape& shape, MonoTime deadline) = 0;
};

}  // namespace metergate
