#include "agent/uplink/republish_queue.h"

#include <algorithm>

namespace metergate {

bool RepublishQueue::add(std::int64_t key) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (wanted_.size() >= kMost && wanted_.count(key) == 0) {
    ++dropped_;
    return false;
  }
  wanted_.insert(key);
  return true;
}

std::vector<std::int64_t> RepublishQueue::due(std::size_t most, MonoTime now) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  std::vector<std::int64_t> keys;
  for (const std::int64_t key : wanted_) {
    if (keys.size() >= most) break;
    const auto published = published_.find(key);
    if (published == published_.end() || now - published->second >= kPause) keys.push_back(key);
  }
  return keys;
}

void RepublishQueue::done(std::int64_t key, MonoTime now) {
  const std::lock_guard<std::mutex> hold(mutex_);
  for (auto it = published_.begin(); it != published_.end();)
    it = now - it->second >= kPause ? published_.erase(it) : std::next(it);
  wanted_.erase(key);
  published_[key] = now;
}

MonoTime RepublishQueue::next(MonoTime now) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  MonoTime next = MonoTime::max();
  for (const std::int64_t key : wanted_) {
    const auto published = published_.find(key);
    next = std::min(next, published == published_.end() ? now : published->second + kPause);
  }
  return next;
}

std::int64_t RepublishQueue::dropped() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return dropped_;
}

}  // namespace metergate
