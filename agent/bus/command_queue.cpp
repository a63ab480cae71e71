#include "agent/bus/command_queue.h"

#include <utility>

namespace metergate {

std::size_t CommandQueue::room(const CommandLane& lane) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  const auto held = held_.find(lane);
  if (held == held_.end()) return kLane;
  return held->second < kLane ? kLane - held->second : 0;
}

void CommandQueue::add(OpenCommand command) {
  const std::lock_guard<std::mutex> hold(mutex_);
  ++held_[command.lane()];
  added_.push_back(std::move(command));
}

bool CommandQueue::add_local(OpenCommand command) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (local_ >= kLocal) return false;
  ++local_;
  added_.push_back(std::move(command));
  return true;
}

std::vector<OpenCommand> CommandQueue::take() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(added_, {});
}

void CommandQueue::ended(const OpenCommand& command) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (command.local) {
    --local_;
    return;
  }
  const auto held = held_.find(command.lane());
  if (--held->second == 0) held_.erase(held);
}

std::size_t CommandQueue::size() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  std::size_t size = local_;
  for (const auto& [lane, held] : held_) size += held;
  return size;
}

}  // namespace metergate
