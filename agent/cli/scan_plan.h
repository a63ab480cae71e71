#pragma once

#include <string>
#include <vector>

#include "agent/config/options.h"

namespace metergate {

/// The request to each unit. An exception counts as an answer, too.
constexpr Block kScanRequest{Table::kHolding, 0, 2};

/// Units that are asked one after the other at one setting of the line.
struct ScanPass {
  BusSettings settings;
  std::vector<int> units;
};

/// Units 1 to 32 at each setting first, then the others. Settings: each of `bauds` with each of `modes`; an empty list
/// is that of the bus, if it says it, and then 9600 and 19200, 8N1 and 8E1. One setting where the bus is no serial
/// line.
std::vector<ScanPass> scan_passes(const BusSpec& bus, const std::vector<int>& units, const std::vector<int>& bauds,
                                  const std::vector<std::string>& modes);

/// Each of `bauds` with each of `modes`; an empty list is that of the bus, if it says it, and then the usual ones. One
/// setting where the bus is no serial line.
std::vector<BusSettings> line_settings(const BusSpec& bus, std::vector<int> bauds, std::vector<std::string> modes,
                                       const std::vector<int>& usual_bauds,
                                       const std::vector<std::string>& usual_modes);

/// The SPEC of --bus.
std::string bus_flag(const std::string& name, const BusSettings& settings);

/// How long it takes when nobody answers. A unit that is there answers sooner; finding its profile comes on top.
Nanos silent_time(const ScanPass& pass);

std::string describe_setting(const BusSettings& settings);  ///< `9600 8N1`, `10.0.0.7:502`
std::string describe_units(const ScanPass& pass);           ///< `unit 7`, `units 1 to 32`
std::string describe_time(Nanos time);                      ///< `45 s`, `5 min 40 s`

}  // namespace metergate
