#include "drivers/line/make_bus.h"

#include "drivers/line/line_bus.h"
#include "drivers/modbus/libmodbus_link.h"

namespace metergate {

std::unique_ptr<Bus> make_line_bus(const BusSettings& settings, const Clock& clock) {
  std::unique_ptr<Port> port = make_port(settings, clock);
  std::unique_ptr<ModbusLink> link = make_libmodbus_link(settings, *port);
  return std::make_unique<LineBus>(settings, std::move(port), std::move(link), clock);
}

}  // namespace metergate
