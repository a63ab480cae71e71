#pragma once

#include <memory>

#include "drivers/bus.h"

namespace metergate {

/// Modbus TCP; or Modbus RTU and DL/T 645 on a serial line or through a serial server. The clock outlives the bus. Does
/// not open. The process must ignore SIGPIPE. open() on a serial line sets the calling thread's timer slack to 1 ns.
std::unique_ptr<Bus> make_line_bus(const BusSettings& settings, const Clock& clock);

}  // namespace metergate
