#pragma once

#include <ostream>

#include "agent/cli/bus_reader.h"
#include "agent/config/site.h"

namespace metergate {

/// Every meter `rounds` times, each request once, and how many of them failed: the quality of the wiring. Buses one
/// after the other. 69 when a bus or meter gave no answer at all.
int read_all(const Site& site, int rounds, bool json, std::ostream& out, std::ostream& err, const BusTools& tools);

}  // namespace metergate
