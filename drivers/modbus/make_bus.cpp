#include "drivers/modbus/make_bus.h"

#include "drivers/modbus/libmodbus_link.h"
#include "drivers/modbus/modbus_bus.h"

namespace metergate {

std::unique_ptr<Bus> make_modbus_bus(const BusSettings& settings, const Clock& clock) {
  return std::make_unique<ModbusBus>(settings, make_libmodbus_link(settings, clock), clock);
}

}  // namespace metergate
