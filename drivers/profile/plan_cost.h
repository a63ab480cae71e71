#pragma once

#include "drivers/bus.h"
#include "drivers/profile/plan.h"

namespace metergate {

/// `gap`: the meter's, beyond that of the bus. On a socket a register takes no time, so everything is worth reading
/// over.
PlanCost plan_cost(const BusSettings& settings, Millis gap, int max_registers, Micros turnaround);

/// Delay assumed between a request and the first byte of its answer, where nothing was measured yet.
Millis assumed_turnaround(const BusSettings& settings);

}  // namespace metergate
