#include "drivers/profile/plan_cost.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr Millis kSerialTurnaround{20};
constexpr Millis kTcpTurnaround{5};
constexpr Millis kItemTurnaround{100};  // DL/T 645-2007 allows 20 to 500 ms
constexpr int kFrameCharacters = 13;    // of a request and of the answer to it, registers apart
constexpr int kRegisterCharacters = 2;

}  // namespace

PlanCost plan_cost(const BusSettings& settings, const Target& target, Micros turnaround) {
  const int most = target.max_registers;
  const LineMode* const line = line_of(settings, target);
  if (line == nullptr) return {most, static_cast<double>(most)};
  const Nanos character = char_time(*line);
  const Nanos silence = frame_gap(*line);
  // A meter needs the silence too, to see the end of its request; `turnaround` may be less only by the clock's error.
  const Nanos waits = std::max<Nanos>(silence, turnaround + std::max(target.gap, settings.gap));
  const Nanos request = character * kFrameCharacters + waits + silence;
  return {most, static_cast<double>(request.count()) / static_cast<double>((character * kRegisterCharacters).count())};
}

Millis assumed_turnaround(const BusSettings& settings, Family family) {
  if (family != Family::kModbus) return kItemTurnaround;
  if (is_serial(settings)) return kSerialTurnaround;
  return is_rtu(settings) ? kSerialTurnaround + kTcpTurnaround : kTcpTurnaround;
}

}  // namespace metergate
