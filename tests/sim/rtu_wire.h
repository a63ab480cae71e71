#pragma once

#include <string>

#include "tests/sim/transmitter.h"

namespace metersim {

/// How a line is clocked.
struct LineTiming {
  Nanos byte_time = 0;  ///< 0: unpaced, frames still end by silence
  Nanos silence = 0;    ///< t3.5
  bool strict = true;
  bool late_drop = false;
  std::size_t fifo = 1;
  int heeded_baud = 0;  ///< what a pty must be set to, or nothing is heard; 0: anything will do

  /// `mode` is 8N1, 8N2, 8E1 or 8O1. Up to 19200 baud t3.5 is 3.5 characters, above 1.75 ms (Modbus over serial line
  /// V1.02, 2.5.1.1). Throws Refused.
  static LineTiming of(int baud, const std::string& mode);
  static LineTiming unpaced();
};

/// One RTU line, half duplex: every byte takes its time on it, a frame ends with silence.
class RtuWire {
 public:
  RtuWire(std::string name, const LineTiming& timing, Station& station, Transmitter::Sink sink);

  /// Bytes of the master, handed over at `now`.
  void receive(const std::uint8_t* data, std::size_t size, Nanos now);
  /// Nobody is there any more: half a frame and unsent answers are forgotten.
  void hang_up(Nanos now);

  std::optional<Due> deadline() const;
  void step(Nanos now);

 private:
  void end_frame(Nanos now);
  void take_item_request(const ItemFrame& request, std::size_t size, Nanos now);

  std::string name_;
  LineTiming timing_;
  Station& station_;
  Transmitter transmitter_;
  Bytes frame_;
  Nanos frame_gap_ = 0;
  Nanos frame_start_ = 0;
  Nanos frame_end_ = 0;
};

}  // namespace metersim
