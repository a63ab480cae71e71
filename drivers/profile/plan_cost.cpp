#include "drivers/profile/plan_cost.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr Millis kSerialTurnaround{20};
constexpr Millis kTcpTurnaround{5};
constexpr int kFrameCharacters = 13;  // of a request and of the answer to it, registers apart
constexpr int kRegisterCharacters = 2;

const SerialSettings* serial_of(const BusSettings& settings) { return std::get_if<SerialSettings>(&settings.port); }

}  // namespace

PlanCost plan_cost(const BusSettings& settings, Millis gap, int max_registers, Micros turnaround) {
  const SerialSettings* serial = serial_of(settings);
  if (!serial) return {max_registers, static_cast<double>(max_registers)};
  const Nanos character = char_time(*serial);
  const Nanos silence = frame_gap(*serial);
  // A meter needs the silence too, to see the end of its request; `turnaround` may be less only by the clock's error.
  const Nanos waits = std::max<Nanos>(silence, turnaround + std::max(gap, settings.gap));
  const Nanos request = character * kFrameCharacters + waits + silence;
  return {max_registers,
          static_cast<double>(request.count()) / static_cast<double>((character * kRegisterCharacters).count())};
}

Millis assumed_turnaround(const BusSettings& settings) {
  if (serial_of(settings)) return kSerialTurnaround;
  return is_rtu(settings) ? kSerialTurnaround + kTcpTurnaround : kTcpTurnaround;
}

}  // namespace metergate
