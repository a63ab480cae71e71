#pragma once

#include <memory>

#include "drivers/bus.h"

namespace metergate {

/// Modbus RTU on a serial line, Modbus TCP, or RTU over TCP. The clock outlives the bus. Does not open. The process
/// must ignore SIGPIPE. open() on a serial line sets the calling thread's timer slack to 1 ns.
std::unique_ptr<Bus> make_modbus_bus(const BusSettings& settings, const Clock& clock);

}  // namespace metergate
