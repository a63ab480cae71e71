#include "drivers/line/wire_time.h"

#include "drivers/dlt645/wire_time.h"
#include "drivers/modbus/wire_time.h"

namespace metergate {

Micros read_time(const BusSettings& settings, const Target& target, const Block& block) {
  return target.family == Family::kModbus ? wire_time(settings, target, block)
                                          : dlt645_wire_time(settings, target, block);
}

}  // namespace metergate
