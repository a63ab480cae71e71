#include "agent/uplink/refused_lanes.h"

#include <algorithm>

namespace metergate {

bool RefusedLanes::allows(Source source, const SourceSet& in_flight, MonoTime now) const {
  const Entry& entry = at(source);
  if (entry.refused) return now >= entry.next_try && in_flight.none();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& other = entries_[i];
    // Room is made for one that is to be tried alone, and it is left alone.
    if (other.refused && (now >= other.next_try || in_flight[i])) return false;
    if (!other.refused && other.losses >= kLosses && in_flight.any()) return false;
  }
  return true;
}

bool RefusedLanes::acked(Source source) {
  const bool ends = at(source).refused;
  at(source) = Entry{};
  return ends;
}

std::optional<Source> RefusedLanes::lost(const SourceSet& in_flight, MonoTime now) {
  for (const Source source : kAllSources) {
    if (!in_flight[index_of(source)]) continue;
    Entry& entry = at(source);
    const bool alone = in_flight.count() == 1;
    if (alone && (entry.refused || entry.losses >= kLosses)) {
      const bool fresh = !entry.refused;
      entry.refused = true;
      entry.pause = std::clamp(entry.pause * 2, kPauseMin, kPauseMax);
      entry.next_try = now + entry.pause;
      return fresh ? std::optional(source) : std::nullopt;
    }
    ++entry.losses;
  }
  return std::nullopt;
}

void RefusedLanes::idle(Source source, MonoTime now) {
  Entry& entry = at(source);
  entry.losses = 0;
  if (entry.refused && now >= entry.next_try)
    entry.next_try = now + kPauseMin;  // nothing to try: no reason to make room
}

MonoTime RefusedLanes::next_try() const {
  MonoTime next = MonoTime::max();
  for (const Entry& entry : entries_) {
    if (entry.refused) next = std::min(next, entry.next_try);
  }
  return next;
}

}  // namespace metergate
