#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

using Bytes = std::vector<std::uint8_t>;

/// Raw bytes and their timing on a serial line or a TCP connection; knows no protocol, so that meters of another family
/// can be asked over the same wires. Not for several threads. Everything is bounded; kBusDown closes the port at once,
/// so that an adapter that was pulled out gets its name back when it is plugged in again.
class Port {
 public:
  explicit Port(const Clock& clock) : clock_(clock) {}
  virtual ~Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// Empty of bytes after it. Errors: as Bus::open.
  virtual Status open() = 0;
  virtual void close() { fd_ = Fd(); }
  bool is_open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }  ///< non-blocking; -1: closed
  virtual std::string name() const = 0;

  /// Time of one character on the wire; zero for sockets.
  virtual Nanos char_time() const = 0;
  /// The silence that ends a frame (Modbus over serial line V1.02, 2.5.1.1: t3.5); zero for sockets.
  virtual Nanos frame_gap() const = 0;

  /// How characters go over the line from now on; the next silence is the longer one of both modes, which the meters of
  /// either need. Back to that of its settings with open(). Nothing to do for sockets. Errors: kBusDown; kInvalid: the
  /// device cannot do it.
  virtual Status set_mode(const LineMode&) { return {}; }

  /// Makes an RS-485 transceiver send, or listen once the last bit is out; with the delays that were set. Nothing to do
  /// for lines whose driver or adapter switches by itself. Leaves the port open. Errors: kBusDown.
  virtual Status direction(bool sending);

  /// All of it, direction switched around it; returns when the last bit should be out. Errors: kBusDown.
  virtual Status write(const Bytes& bytes);
  /// What has come, at most `size`; waits until `deadline` for the first byte. Errors: kTimeout, kBusDown.
  virtual Result<std::size_t> read(std::uint8_t* to, std::size_t size, MonoTime deadline);
  /// Takes what has come unasked, to the end of `strays`. Errors: kBusDown.
  Status discard(Bytes* strays);
  /// Waits until the line was silent for frame_gap() + `gap` and holds nothing unread; what was taken off it for that
  /// goes to the end of `strays`, also with an error. Errors: kBusDown; kGarbled: it is never silent.
  Status settle(Nanos gap, Bytes* strays) { return settle_for(frame_gap() + gap, strays); }
  /// Likewise after just this silence.
  Status settle_for(Nanos silence, Bytes* strays);
  /// Somebody else read from fd(): the silence counts from now.
  void heard() { last_byte_ = clock_.mono(); }

  /// The port is gone, `reason` is errno: closes it.
  Error lost(int reason);

 protected:
  void opened(Fd fd);
  void wait_for_silence(Nanos silence) const;
  const Clock& clock_;

 private:
  Fd fd_;
  MonoTime last_byte_{};
};

std::unique_ptr<Port> make_port(const BusSettings& settings, const Clock& clock);

}  // namespace metergate
