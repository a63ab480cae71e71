#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "drivers/bus.h"

namespace metergate {

/// What is known of a meter and a bus, for `status` and for metrics. Counts are since start.
struct MeterState {
  std::string id;
  bool silent = false;
  UtcTime last_good{};  ///< 1970: never
  std::int64_t good = 0, partial = 0, bad = 0;
  std::int64_t slots_missed = 0;
  std::optional<Turnaround> turnaround;
  std::string serial;                                    ///< its own, else that of --meter
  std::vector<std::pair<std::string, int>> unsupported;  ///< points that are left out, with the exception
};

struct BusState {
  std::string name;
  std::string port;  ///< the device, or host and port
  bool up = false;
  std::string why_down;
  bool overloaded = false;
  std::int64_t slots_wanted = 0, slots_kept = 0;  ///< while their meters were no silent ones
  bool second_master = false;                     ///< another master was heard in the last minutes
  std::optional<UtcTime> paused_until;            ///< set: its port is lent to another program
  BusCounters counters;
  std::int64_t commands_done = 0;
  std::int64_t commands_waiting = 0;  ///< open ones that it has; in a Snapshot also those that it has no room for yet
  std::vector<MeterState> meters;
};

}  // namespace metergate
