#pragma once

#include <bitset>
#include <optional>

#include "store/store.h"

namespace metergate {

/// What is published on a topic of its own: the three lanes, then what the gateway tells about itself. Which lane a
/// source is, is said here and nowhere else.
enum class Source { kReadings, kResults, kEvents, kCatalog, kStatus };
constexpr int kSources = 5;
constexpr std::array<Source, kSources> kAllSources{Source::kReadings, Source::kResults, Source::kEvents,
                                                   Source::kCatalog, Source::kStatus};
/// For example those that have a message in flight.
using SourceSet = std::bitset<kSources>;

constexpr std::size_t index_of(Lane lane) { return static_cast<std::size_t>(lane); }
constexpr std::size_t index_of(Source source) { return static_cast<std::size_t>(source); }

constexpr Source source_of(Lane lane) {
  switch (lane) {
    case Lane::kReadings:
      return Source::kReadings;
    case Lane::kResults:
      return Source::kResults;
    case Lane::kEvents:
      break;
  }
  return Source::kEvents;
}

/// Nothing: the source is no lane.
constexpr std::optional<Lane> lane_of(Source source) {
  for (const Lane lane : kAllLanes) {
    if (source_of(lane) == source) return lane;
  }
  return std::nullopt;
}

static_assert(lane_of(Source::kReadings) == Lane::kReadings && lane_of(Source::kResults) == Lane::kResults &&
                  lane_of(Source::kEvents) == Lane::kEvents && !lane_of(Source::kCatalog) && !lane_of(Source::kStatus),
              "each lane is one source, and no other source is a lane");

/// "readings", "results", "events", "catalog", "status"
inline const char* source_name(Source source) {
  if (const auto lane = lane_of(source)) return lane_name(*lane);
  return source == Source::kCatalog ? "catalog" : "status";
}

}  // namespace metergate
