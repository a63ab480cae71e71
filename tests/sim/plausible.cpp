#include "tests/sim/plausible.h"

#include <cmath>

namespace metersim {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNewYear2026 = 1767225600;

bool starts_with(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }
bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

struct Load {
  double volts, amperes, factor;
  double apparent() const { return volts * amperes; }
  double active() const { return apparent() * factor; }
  double reactive() const { return std::sqrt(apparent() * apparent() - active() * active()); }
};

Load load_of_phase(int phase, int meter, double seconds) {
  const auto swing = [&](double period, double shift) { return std::sin(2 * kPi * seconds / period + shift); };
  return {230 + 2.5 * swing(600, phase + meter), 5 + 1.5 * swing(300, 2 * phase + meter),
          0.95 + 0.03 * swing(900, phase)};
}

/// 1 to 3, or 0 where the name speaks of all phases.
int phase_of(const std::string& point) {
  for (int phase = 1; phase <= 3; ++phase)
    if (contains(point, ("_l" + std::to_string(phase)).c_str())) return phase;
  return 0;
}

template <class Quantity>
double of_phases(const std::string& point, int meter, double seconds, Quantity quantity) {
  const int phase = phase_of(point);
  if (phase > 0) return quantity(load_of_phase(phase, meter, seconds));
  double sum = 0;
  for (int p = 1; p <= 3; ++p) sum += quantity(load_of_phase(p, meter, seconds));
  return sum;
}

double energy(const std::string& point, int meter, double seconds) {
  const double hours = std::fmax(0, seconds - kNewYear2026) / 3600;
  const double average = contains(point, "export") ? 0.4 : contains(point, "reactive") ? 1.0 : 3.3;
  const double share = phase_of(point) > 0 ? 1.0 / 3 : contains(point, "_t") && !contains(point, "_total") ? 0.5 : 1;
  return (100.0 * meter + average * hours) * share;
}

}  // namespace

double plausible(const std::string& point, const std::string& unit_of_measure, int meter, double seconds) {
  const auto is = [&](const char* name, const char* unit) {
    return unit_of_measure.empty() ? starts_with(point, name) : unit_of_measure == unit;
  };
  if (contains(point, "_energy")) return energy(point, meter, seconds);
  if (starts_with(point, "serial")) return 100000 + meter;
  if (contains(point, "battery")) return 3.6;
  if (is("frequency", "Hz")) return 50 + 0.02 * std::sin(2 * kPi * seconds / 120 + meter);
  const auto sum = [&](auto quantity) { return of_phases(point, meter, seconds, quantity); };
  if (is("active_power", "W")) return sum([](const Load& load) { return load.active(); });
  if (is("reactive_power", "var"))  // inductive and capacitive in turn: both signs are seen
    return sum([](const Load& load) { return load.reactive(); }) * std::sin(2 * kPi * seconds / 1200 + meter);
  if (is("apparent_power", "VA")) return sum([](const Load& load) { return load.apparent(); });
  if (starts_with(point, "power_factor")) return load_of_phase(phase_of(point), meter, seconds).factor;
  if (is("voltage", "V")) {
    const bool between = contains(point, "_l1_l2") || contains(point, "_l2_l3") || contains(point, "_l3_l1");
    return load_of_phase(phase_of(point), meter, seconds).volts * (between ? std::sqrt(3.0) : 1);
  }
  if (starts_with(point, "current_n")) return 0.3;
  if (is("current", "A")) return load_of_phase(phase_of(point), meter, seconds).amperes;
  return 20 + meter % 10 + 3 * std::sin(2 * kPi * seconds / 600 + meter);
}

}  // namespace metersim
