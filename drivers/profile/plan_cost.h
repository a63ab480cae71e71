#pragma once

#include "drivers/bus.h"
#include "drivers/profile/plan.h"

namespace metergate {

/// On a socket a register takes no time, so everything is worth reading over.
PlanCost plan_cost(const BusSettings& settings, const Target& target, Micros turnaround);

/// Delay assumed between a request and the first byte of its answer, where nothing was measured yet.
Millis assumed_turnaround(const BusSettings& settings, Family family = Family::kModbus);

}  // namespace metergate
