#include "agent/uplink/republish_queue.h"

#include <algorithm>

namespace metergate {

bool RepublishQueue::ask(std::int64_t key) {
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
    const auto sent = sent_.find(key);
    if (sent == sent_.end() || now - sent->second >= kPause) keys.push_back(key);
  }
  return keys;
}

void RepublishQueue::done(std::int64_t key, MonoTime now) {
  const std::lock_guard<std::mutex> hold(mutex_);
  for (auto it = sent_.begin(); it != sent_.end();) it = now - it->second >= kPause ? sent_.erase(it) : std::next(it);
  wanted_.erase(key);
  sent_[key] = now;
}

MonoTime RepublishQueue::next(MonoTime now) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  MonoTime next = MonoTime::max();
  for (const std::int64_t key : wanted_) {
    const auto sent = sent_.find(key);
    next = std::min(next, sent == sent_.end() ? now : sent->second + kPause);
  }
  return next;
}

std::int64_t RepublishQueue::dropped() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return dropped_;
}

}  // namespace metergate
