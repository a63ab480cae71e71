#include "agent/base/log_throttle.h"

#include <algorithm>
#include <utility>

namespace metergate {

std::int64_t LogThrottle::due(const std::string& source, const std::string& state, MonoTime now) {
  const std::string key = source.substr(0, kLongestText);
  const std::string seen = state.substr(0, kLongestText);
  const std::lock_guard<std::mutex> hold(mutex_);
  if (entries_.size() >= kMostSources && entries_.count(key) == 0) {
    entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                    [](const auto& a, const auto& b) { return a.second.logged < b.second.logged; }));
  }
  const auto [found, fresh] = entries_.try_emplace(key);
  Entry& entry = found->second;
  ++entry.count;
  if (!fresh && entry.state == seen && now - entry.logged < pause_) return 0;
  const std::int64_t count = entry.state == seen ? entry.count : 1;
  entry = Entry{seen, now, 0};
  return count;
}

std::size_t LogThrottle::sources() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return entries_.size();
}

std::int64_t ChangeThrottle::due(MonoTime now) {
  ++count_;
  if (spent_until_ > now) return 0;
  spent_until_ = std::max(spent_until_, now - (kAtOnce - 1) * Nanos{kPause}) + kPause;
  return std::exchange(count_, 0);
}

}  // namespace metergate
