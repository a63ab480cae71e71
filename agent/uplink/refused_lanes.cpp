#include "agent/uplink/refused_lanes.h"

#include <algorithm>

namespace metergate {

bool RefusedLanes::allows(Source source, const SourceSet& in_flight, MonoTime now) const {
  const Entry& entry = at(source);
  if (entry.refused) return now >= entry.next_try && in_flight.none();
  if (entry.stepped_back) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& other = entries_[i];
    // Room is made for one that is to be tried alone, and it is left alone.
    if (other.refused && (now >= other.next_try || in_flight[i])) return false;
    if (!other.refused && other.losses >= kLosses && in_flight.any()) return false;
  }
  return true;
}

bool RefusedLanes::acked(Source source, MonoTime now) {
  const bool ends = at(source).refused;
  at(source) = Entry{};
  for (Entry& entry : entries_) {
    entry.others_acked = entry.losses > 0;
    entry.stepped_back = false;
  }
  if (ends) broker_changed(now);
  return ends;
}

std::optional<Source> RefusedLanes::lost(const SourceSet& in_flight, MonoTime now) {
  const bool alone = in_flight.count() == 1;
  for (const Source source : kAllSources) {
    if (!in_flight[index_of(source)]) continue;
    Entry& entry = at(source);
    const bool suspect = entry.losses >= kLosses;
    if (alone && (entry.refused || (suspect && entry.others_acked))) {
      const bool fresh = !entry.refused;
      entry.refused = true;
      entry.pause = std::clamp(entry.pause * 2, kPauseMin, kPauseMax);
      entry.next_try = now + entry.pause;
      return fresh ? std::optional(source) : std::nullopt;
    }
    entry.stepped_back = alone && suspect;
    ++entry.losses;
  }
  return std::nullopt;
}

void RefusedLanes::idle(Source source, MonoTime now) {
  Entry& entry = at(source);
  entry.losses = 0;
  entry.others_acked = entry.stepped_back = false;
  if (entry.refused && now >= entry.next_try)
    entry.next_try = now + kPauseMin;  // nothing to try: no reason to make room
}

bool RefusedLanes::step_forward() {
  bool any = false;
  for (Entry& entry : entries_) {
    any = any || entry.stepped_back;
    entry.stepped_back = false;
  }
  return any;
}

void RefusedLanes::broker_changed(MonoTime now) {
  for (Entry& entry : entries_) entry.next_try = std::min(entry.next_try, now);
}

MonoTime RefusedLanes::next_try() const {
  MonoTime next = MonoTime::max();
  for (const Entry& entry : entries_) {
    if (entry.refused) next = std::min(next, entry.next_try);
  }
  return next;
}

}  // namespace metergate
