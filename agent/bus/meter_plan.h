#pragma once

#include <utility>
#include <vector>

#include "agent/bus/measured_cost.h"
#include "agent/bus/unsupported_points.h"

namespace metergate {

/// The blocks that one meter is best asked for some points. Made once and kept until what a request costs, or what the
/// meter is known not to support, is another. Pure; one thread.
class MeterPlan {
 public:
  static constexpr std::size_t kKept = 16;  ///< plans; polls that are due together have one of their own

  /// All outlive it.
  MeterPlan(const BusConfig& bus, std::size_t meter, const UnsupportedPoints& unsupported)
      : profile_(*bus.meters[meter].profile), cost_(bus, meter), unsupported_(unsupported) {}

  /// What was measured of the meter.
  void measured(const std::optional<Turnaround>& turnaround);
  std::vector<Block> blocks(const std::vector<const Point*>& points);

 private:
  const Profile& profile_;
  MeasuredCost cost_;
  const UnsupportedPoints& unsupported_;
  std::vector<Block> learned_;                                                  // that the kept plans leave out
  std::vector<std::pair<std::vector<const Point*>, std::vector<Block>>> kept_;  // the oldest first
};

}  // namespace metergate
