#pragma once

#include <memory>

#include "drivers/modbus/modbus_link.h"

namespace metergate {

/// Any of the three kinds of BusSettings, by libmodbus on a port. The clock outlives it. Does not open.
std::unique_ptr<ModbusLink> make_libmodbus_link(const BusSettings& settings, Port& port);

}  // namespace metergate
