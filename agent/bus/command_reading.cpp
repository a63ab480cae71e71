#include "agent/bus/command_reading.h"

#include <algorithm>

#include "agent/bus/poll_job.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {
constexpr std::size_t kAloneInVain = 2;
}  // namespace

CommandReading::CommandReading(const MeterConfig* meter, const CommandPlan& plan)
    : meter_(meter), points_(plan.points), todo_(plan.blocks) {
  if (meter_ != nullptr) needed_ = with_dependencies(*meter_->profile, points_);
}

std::optional<Block> CommandReading::next() const {
  if (todo_.empty()) return std::nullopt;
  return todo_.front();
}

void CommandReading::answered(const Words& words) {
  image_.put(todo_.front(), words);
  words_ = words;
  any_answer_ = true;
  todo_.erase(todo_.begin());
}

bool CommandReading::failed(const Error& error) {
  const Block block = todo_.front();
  todo_.erase(todo_.begin());
  if (meter_ != nullptr && refusal(error) && split(block)) return true;
  failures_.emplace_back(block, error);
  const bool in_vain = !any_answer_ && failures_.size() >= kAloneInVain;
  return meter_ != nullptr && refusal(error) && !in_vain;
}

bool CommandReading::split(const Block& block) {
  const std::vector<Block> halves = halves_of(block, needed_);
  todo_.insert(todo_.begin(), halves.begin(), halves.end());
  return !halves.empty();
}

Failure CommandReading::why_missing(const Point& point, const Error& otherwise) const {
  for (const Point* needed : with_dependencies(*meter_->profile, {&point})) {
    for (const Block& registers : registers_of(*needed)) {
      for (const auto& [block, error] : failures_) {
        if (overlaps(block, registers)) return failure_of(error);
      }
    }
  }
  return failure_of(otherwise);
}

std::optional<Failure> CommandReading::conclude(CommandResult& result) const {
  if (!any_answer_) return failure_of(failures_.back().second);
  if (meter_ == nullptr) {
    result.registers = words_;
    return std::nullopt;
  }
  for (const Point* point : points_) {
    const Result<Decoded> decoded = decode(*meter_->profile, *point, image_, meter_->ratios);
    if (decoded) {
      result.values.emplace_back(point->name, decoded->value);
    } else {
      result.errors.emplace_back(point->name, why_missing(*point, decoded.error()));
    }
  }
  if (!result.values.empty()) return std::nullopt;
  return result.errors.front().second;
}

}  // namespace metergate
