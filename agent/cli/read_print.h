#pragma once

#include <ostream>

#include "agent/cli/read_meter.h"
#include "agent/config/site.h"
#include "agent/protocol/codec.h"

namespace metergate {

/// A reading as a table (point, value, unit, OBIS, registers), or as the JSON object that would be its record, without
/// a number, with `took_ms` and `registers` by point.
void print_reading(const MeterReading& read, const BusSpec& bus, const MeterConfig& meter, bool json,
                   std::ostream& out);

/// What raw registers were asked for, and when they came.
struct RawRead {
  const BusSpec& bus;
  const MeterConfig& meter;
  Block block;
  Stamp stamp;
  Micros took;
};
void print_registers(const RawRead& read, const Result<Words>& words, bool json, std::ostream& out);

}  // namespace metergate
