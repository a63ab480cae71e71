#pragma once

#include "drivers/port/port.h"

namespace metergate {

/// A TCP connection. The process must ignore SIGPIPE: libmodbus sends RTU frames with write(2).
///
/// open() looks the name up for at most connect_timeout, then shares another connect_timeout among the addresses. A
/// peer that vanished without a word is given up 10 s after the first byte that it did not acknowledge
/// (TCP_USER_TIMEOUT).
class SocketPort : public Port {
 public:
  SocketPort(TcpSettings settings, const Clock& clock) : Port(clock), settings_(std::move(settings)) {}
  Status open() override;
  std::string name() const override;
  Nanos char_time() const override { return Nanos{0}; }
  Nanos frame_gap() const override { return Nanos{0}; }

 private:
  Result<Fd> connect_to(const std::string& address, Nanos patience) const;
  TcpSettings settings_;
};

}  // namespace metergate
