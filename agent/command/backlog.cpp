#include "agent/command/backlog.h"

#include <algorithm>

namespace metergate {

void Backlog::add(const CommandLane& lane, const Entry& entry) {
  lanes_[lane].push_back(entry);
  if (entry.expires) first_expiry_ = std::min(first_expiry_, *entry.expires);
}

std::vector<CommandLane> Backlog::lanes() const {
  std::vector<CommandLane> lanes;
  for (const auto& [lane, entries] : lanes_) lanes.push_back(lane);
  return lanes;
}

const Backlog::Entry* Backlog::front(const CommandLane& lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? nullptr : &found->second.front();
}

void Backlog::pop(const CommandLane& lane) {
  const auto found = lanes_.find(lane);
  found->second.pop_front();
  if (found->second.empty()) lanes_.erase(found);
}

std::size_t Backlog::size() const {
  std::size_t size = 0;
  for (const auto& [lane, entries] : lanes_) size += entries.size();
  return size;
}

std::vector<std::pair<CommandLane, Backlog::Entry>> Backlog::take_expired(UtcTime now, std::size_t max) {
  std::vector<std::pair<CommandLane, Entry>> expired;
  if (now < first_expiry_) return expired;
  first_expiry_ = UtcTime::max();
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    std::deque<Entry>& entries = lane->second;
    const auto end = std::remove_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      if (!entry.expires) return false;
      if (now >= *entry.expires && expired.size() < max) {
        expired.emplace_back(lane->first, entry);
        return true;
      }
      first_expiry_ = std::min(first_expiry_, *entry.expires);
      return false;
    });
    entries.erase(end, entries.end());
    lane = entries.empty() ? lanes_.erase(lane) : std::next(lane);
  }
  return expired;
}

}  // namespace metergate
