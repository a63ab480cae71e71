#include "agent/admin/status_history.h"

#include <algorithm>

namespace metergate {

namespace {

template <class T>
void push(std::deque<T>& samples, T sample) {
  if (samples.size() == StatusHistory::kSamples) samples.pop_front();
  samples.push_back(sample);
}

}  // namespace

void StatusHistory::add(const Snapshot& s) {
  const bool first = buses_.empty();
  buses_.resize(s.buses.size());
  const std::int64_t passed_us = std::chrono::duration_cast<Micros>(s.now - last_).count();
  for (std::size_t i = 0; i < buses_.size(); ++i) {
    const std::int64_t busy_us = s.buses[i].counters.busy_us;
    const std::int64_t used_us = busy_us - buses_[i].busy_us;
    buses_[i].busy_us = busy_us;
    if (first || passed_us <= 0) continue;
    // A transaction is counted when it ends: one may have begun before the sample.
    push(buses_[i].utilisation,
         static_cast<std::uint16_t>(std::clamp<std::int64_t>(used_us * 1000 / passed_us, 0, 1000)));
  }
  std::int64_t waiting = 0;
  for (const LaneState& lane : s.store.lanes) waiting += lane.waiting;
  push(backlog_, waiting);
  last_ = s.now;
}

}  // namespace metergate
