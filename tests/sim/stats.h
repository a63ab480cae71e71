#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/clock.h"
#include "tests/sim/meter.h"

namespace metersim {

struct Spread {
  Nanos sum = 0, most = 0;
  std::int64_t count = 0;
  void add(Nanos value);
  std::string json() const;  ///< {"mean","max"} in microseconds
};

struct UnitStats {
  std::int64_t requests = 0, answers = 0, exceptions = 0, dropped = 0, late = 0, violations = 0;
};

struct LineStats {
  std::int64_t requests = 0, answers = 0, violations = 0, crc_errors = 0, dropped = 0, late = 0, overruns = 0;
  Nanos busy = 0;    ///< bytes on the wire, both ways
  Nanos ideal = 0;   ///< what the answered requests take at best: bytes, the meter's delay, the silence after
  Nanos first = -1;  ///< start of the first request
  Nanos last = 0;    ///< end of the last answer and the silence after it
  Spread jitter;     ///< how late the last byte of an answer was written: the simulator's own share
  Spread gap;        ///< silence before each request
};

struct Stats {
  std::map<std::string, LineStats> lines;
  std::map<int, UnitStats> units;

  /// One JSON object. `meters` lends the write counts.
  std::string json(const std::map<int, Meter>& meters) const;
};

}  // namespace metersim
