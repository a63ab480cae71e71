#include "store/store.h"

namespace metergate {

const char* lane_name(Lane lane) {
  switch (lane) {
    case Lane::kReadings:
      return "readings";
    case Lane::kResults:
      return "results";
    case Lane::kEvents:
      break;
  }
  return "events";
}

std::optional<Lane> lane_of(const std::string& name) {
  for (const Lane lane : kAllLanes) {
    if (name == lane_name(lane)) return lane;
  }
  return std::nullopt;
}

}  // namespace metergate
