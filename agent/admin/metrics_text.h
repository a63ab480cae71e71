#pragma once

#include <string>

#include "agent/admin/status.h"

namespace metergate {

/// The snapshot in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4), names
/// and units as its naming guide wants them: seconds and bytes, counters end in _total, ages are told as the time at
/// which it happened. What never happened has no line.
std::string metrics_text(const Snapshot& snapshot);

}  // namespace metergate
