#pragma once

#include <optional>
#include <vector>

#include "agent/config/site.h"

namespace metergate {

/// One request and its answer on a bus: read_time, the meter's assumed turnaround and the silence that is asked for.
struct RequestLoad {
  Block block;
  Micros time{0};
};

struct PollLoad {
  std::vector<RequestLoad> requests;  ///< when it is due alone
  Micros time{0};
};

/// What the polls of a bus take of its time.
struct BusLoad {
  std::vector<PollLoad> polls;  ///< as BusConfig::polls
  /// Of the bus's time, 1.0 = all of it; back to back polls apart. Polls of a meter that are due together share
  /// requests: where one interval is a multiple of another that is counted, elsewhere the sum of both is taken, so that
  /// this is a bound.
  double share = 0;
  Micros round{0};  ///< all back to back polls once
};

BusLoad bus_load(const BusConfig& bus);

/// The shortest usual interval that, given to every poll below it, brings the share to `share` or less; nothing when
/// even a day does not.
std::optional<Millis> interval_for(const BusConfig& bus, double share);

}  // namespace metergate
