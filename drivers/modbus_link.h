#pragma once

#include <cstddef>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "drivers/port.h"

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

  /// Before each request; as Port::settle.
  virtual Result<std::size_t> settle(Nanos gap) = 0;

  struct Sent {
    Status status;
    bool any = false;  ///< a byte may have left
  };
  virtual Sent send(int unit, const Bytes& pdu) = 0;

  /// The PDU of the next frame; empty if it is another unit's, or (Modbus TCP) answers another request than the last
  /// one. Errors: kTimeout, kCrc, kGarbled, kBusDown.
  virtual Result<Bytes> receive(int unit, MonoTime deadline) = 0;
};

}  // namespace metergate
