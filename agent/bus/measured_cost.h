#pragma once

#include <algorithm>

#include "agent/config/site.h"

namespace metergate {

/// What one more request to a meter costs, by the turnaround that was measured; before that by the assumed one. Pure;
/// one thread.
class MeasuredCost {
 public:
  static constexpr Millis kStep{5};  ///< a change by less, or by less than a half, makes no other plan

  MeasuredCost(const BusConfig& bus, std::size_t meter)
      : bus_(bus.spec.settings),
        meter_(bus.meters[meter]),
        turnaround_(assumed_turnaround(bus_, meter_.target.family)),
        cost_(meter_.cost) {}

  /// True: the cost is another.
  bool take(const std::optional<Turnaround>& measured) {
    if (!measured) return false;
    const Micros change = std::chrono::abs(measured->usual - turnaround_);
    if (change < std::max<Micros>(kStep, turnaround_ / 2)) return false;
    turnaround_ = measured->usual;
    cost_ = plan_cost(bus_, meter_.target, turnaround_);
    return true;
  }
  const PlanCost& cost() const { return cost_; }

 private:
  const BusSettings& bus_;
  const MeterConfig& meter_;
  Micros turnaround_;
  PlanCost cost_;
};

}  // namespace metergate
