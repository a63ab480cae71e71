#include "drivers/profile/plan_cost.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr Millis kSerialTurnaround{20};
constexpr Millis kTcpTurnaround{5};
constexpr double kFrameCharacters = 13;     // of a request and of the answer to it, registers apart
constexpr double kLongestSilenceMs = 1.75;  // t3.5 above 19200 baud; Modbus over serial line V1.02, section 2.5.1.1
constexpr int kSlowBaud = 19200;

const SerialSettings* serial_of(const BusSettings& settings) { return std::get_if<SerialSettings>(&settings.port); }

}  // namespace

PlanCost plan_cost(const BusSettings& settings, Millis gap, int max_registers, Micros turnaround) {
  const SerialSettings* serial = serial_of(settings);
  if (!serial) return {max_registers, static_cast<double>(max_registers)};
  const int bits = 1 + 8 + (serial->parity == 'N' ? 0 : 1) + serial->stop_bits;
  const double character_ms = 1000.0 * bits / serial->baud;
  const double silence_ms = serial->baud > kSlowBaud ? kLongestSilenceMs : 3.5 * character_ms;
  // A meter needs the silence too, to see the end of its request; `turnaround` may be less only by the clock's error.
  const Micros waits = turnaround + std::max(gap, settings.gap);
  const double waits_ms = std::max(silence_ms, static_cast<double>(waits.count()) / 1000);
  return {max_registers, (kFrameCharacters * character_ms + waits_ms + silence_ms) / (2 * character_ms)};
}

Millis assumed_turnaround(const BusSettings& settings) {
  if (serial_of(settings)) return kSerialTurnaround;
  return std::get<TcpSettings>(settings.port).rtu ? kSerialTurnaround + kTcpTurnaround : kTcpTurnaround;
}

}  // namespace metergate
