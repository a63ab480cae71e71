#pragma once

#include <ostream>

#include "agent/codec.h"
#include "agent/setup.h"

namespace metergate {

/// A reading as a table (point, value, unit, OBIS), or as the JSON object that would be its record, without a number.
void print_reading(const Reading& reading, const BusSpec& bus, const MeterSetup& meter, bool json, std::ostream& out);

/// What raw registers were asked for, and when they came.
struct RawRead {
  const BusSpec& bus;
  const MeterSetup& meter;
  Block block;
  Stamp stamp;
};
void print_registers(const RawRead& read, const Result<Words>& words, bool json, std::ostream& out);

}  // namespace metergate
