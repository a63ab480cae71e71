#include "agent/bus/meter_plan.h"

#include <algorithm>

#include "drivers/profile/plan.h"

namespace metergate {

void MeterPlan::measured(const std::optional<Turnaround>& turnaround) {
  if (cost_.take(turnaround)) kept_.clear();
}

std::vector<Block> MeterPlan::blocks(const std::vector<const Point*>& points) {
  if (learned_ != unsupported_.learned()) {
    learned_ = unsupported_.learned();
    kept_.clear();
  }
  const auto known = std::find_if(kept_.begin(), kept_.end(), [&](const auto& plan) { return plan.first == points; });
  if (known != kept_.end()) return known->second;
  if (kept_.size() >= kKept) kept_.erase(kept_.begin());
  kept_.emplace_back(points, plan_blocks(profile_, points, cost_.cost(), learned_));
  return kept_.back().second;
}

}  // namespace metergate
