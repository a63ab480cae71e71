#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/bus/bus_state.h"
#include "agent/uplink/forwarder.h"
#include "store/store.h"

namespace metergate {

/// Everything that is counted, at one moment: what `status` answers and metrics print.
struct Snapshot {
  std::string gateway, version, epoch, config;
  UtcTime at{}, since{};
  bool clock_synced = false;
  std::vector<BusState> buses;
  StoreState store;
  ForwarderState uplink;
  std::optional<ReplayState> replay;
  MonoTime now{};
};

/// JSON members without braces; less than 1 MiB for 1,000 meters on 256 buses: of the points that meters refuse the
/// first 2,000 are named, the others counted as `refused_more` of their meter.
std::string snapshot_json(const Snapshot& snapshot);
/// The same in pages of at most `max_bytes` (one bus and one meter always fit): all but the buses is on each page, a
/// bus on each that has meters of it.
std::vector<std::string> snapshot_pages(const Snapshot& snapshot, std::size_t max_bytes);

}  // namespace metergate
