#pragma once

#include "drivers/port/port.h"

namespace metergate {

/// A serial device, opened for this process alone: flock(2) against other instances, TIOCEXCL against other programs.
///
/// open() also asks the driver to hand bytes over without delay (FTDI chips wait 16 ms by default), and sets the
/// calling thread's timer slack to its minimum, since the silence before a request is a few milliseconds.
///
/// Directions rts-up and rts-down are timed by this program, not by the UART: the last bit is taken to be out one
/// character time a byte after write(2), confirmed by the transmitter-empty bit where the driver has it
/// (TIOCSERGETLSR). tcdrain(3) is not used, it may oversleep by several milliseconds.
class SerialPort : public Port {
 public:
  SerialPort(SerialSettings settings, const Clock& clock)
      : Port(clock), settings_(std::move(settings)), mode_(settings_) {}
  ~SerialPort() override { close(); }
  Status open() override;
  void close() override;
  std::string name() const override { return settings_.device; }
  Nanos char_time() const override { return metergate::char_time(mode_); }
  Nanos frame_gap() const override { return metergate::frame_gap(mode_); }
  Status set_mode(const LineMode& line) override;
  Status direction(bool sending) override;

 private:
  Status set_line(int fd) const;
  Status prepare(int fd) const;
  Status set_up_direction(int fd) const;
  Error refused(const std::string& what) const;
  SerialSettings settings_;
  LineMode mode_;
};

}  // namespace metergate
