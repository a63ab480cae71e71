#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/clock.h"
#include "tests/sim/frame.h"

namespace metersim {

/// What a trace of a real bus (`metergate trace BUS --format jsonl`) says was heard behind each request, so that a
/// fault in the field becomes a test. A request is known by its unit and its PDU; what came behind the same one several
/// times is given in that order, and the last of it for ever.
class Replay {
 public:
  struct Heard {
    Bytes bytes;     ///< all that came before the next request, frames and noise, as on the wire; empty: nothing
    Bytes pdu;       ///< of the last frame of it, for Modbus TCP, whose numbers are this connection's
    Nanos turn = 0;  ///< from the request to the first of it
  };

  Replay() = default;
  /// Throws Refused.
  explicit Replay(const std::string& path);

  /// Null: no such request is in the trace.
  const Heard* next(int unit, const Bytes& pdu);

 private:
  struct Past {
    std::vector<Heard> heard;
    std::size_t given = 0;
  };
  std::map<Bytes, Past> requests_;  // by unit and PDU
};

}  // namespace metersim
