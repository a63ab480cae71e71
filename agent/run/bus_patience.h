#pragma once

#include "agent/config/site.h"

namespace metergate {

/// The longest that one step of a bus may take before it counts as hanging: a request with its guard read and with
/// another connection, for the slowest of its meters, and 10 s for a commit and the opening of the port.
Millis patience_of(const BusConfig& config);

}  // namespace metergate
