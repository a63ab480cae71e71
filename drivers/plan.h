#pragma once

#include <vector>

#include "drivers/profile.h"

namespace metergate {

/// What decides whether reading over a hole is cheaper than a second request.
struct PlanCost {
  int max_registers = 125;       ///< of the meter, already lowered by --meter's max-registers
  double request_registers = 26;  ///< what one more request costs, in registers' wire time (reference: (13 Tc + turnaround + t3.5) / 2 Tc)
};

/// The registers that each point needs (parts, and the points it multiplies by, included), in as few reads as limit and cost
/// allow, sorted by table and address. A value is never split over two reads, and no block starts or ends inside a value of the
/// profile. Bits: 2000 a read.
std::vector<Block> plan_blocks(const Profile& profile, const std::vector<const Point*>& points, const PlanCost& cost);

/// Points, and the ones that their values depend on.
std::vector<const Point*> with_dependencies(const Profile& profile, const std::vector<const Point*>& points);

/// The part-blocks of one point (several with parts=), to tell which reads carry it.
std::vector<Block> registers_of(const Point& point);

}  // namespace metergate
