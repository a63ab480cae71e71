#include "agent/cli/scan_plan.h"

#include <algorithm>
#include <optional>

#include "agent/config/bus_description.h"
#include "agent/config/spec.h"
#include "drivers/line/wire_time.h"

namespace metergate {

namespace {

constexpr int kLikelyUnits = 32;

/// `own` first, where --bus gives it, then the usual ones; each once.
template <class T>
std::vector<T> usual(const std::optional<T>& own, std::vector<T> others) {
  if (!own) return others;
  others.erase(std::remove(others.begin(), others.end(), *own), others.end());
  others.insert(others.begin(), *own);
  return others;
}

}  // namespace

std::vector<BusSettings> line_settings(const BusSpec& bus, std::vector<int> bauds, std::vector<std::string> modes,
                                       const std::vector<int>& usual_bauds,
                                       const std::vector<std::string>& usual_modes) {
  const auto* own = std::get_if<SerialSettings>(&bus.settings.port);
  if (own == nullptr) return {bus.settings};
  const auto baud = own->baud == 0 ? std::nullopt : std::optional<int>(own->baud);
  const auto mode = own->stop_bits == 0 ? std::nullopt : std::optional<std::string>(mode_name(*own));
  if (bauds.empty()) bauds = usual(baud, usual_bauds);
  if (modes.empty()) modes = usual(mode, usual_modes);
  std::vector<BusSettings> all;
  for (const int each_baud : bauds) {
    for (const std::string& each_mode : modes) {
      SerialSettings serial = *own;
      serial.baud = each_baud;
      set_mode(each_mode, &serial);
      all.push_back(bus.settings);
      all.back().port = serial;
    }
  }
  return all;
}

std::vector<ScanPass> scan_passes(const BusSpec& bus, const std::vector<int>& units, const std::vector<int>& bauds,
                                  const std::vector<std::string>& modes) {
  const auto split = std::partition_point(units.begin(), units.end(), [](int unit) { return unit <= kLikelyUnits; });
  const std::vector<BusSettings> settings = line_settings(bus, bauds, modes, {9600, 19200}, {"8N1", "8E1"});
  std::vector<ScanPass> passes;
  for (const auto& [first, last] : {std::pair{units.begin(), split}, std::pair{split, units.end()}}) {
    if (first == last) continue;
    for (const BusSettings& line : settings) passes.push_back({line, {first, last}});
  }
  return passes;
}

Nanos silent_time(const ScanPass& pass) {
  const Nanos each = pass.settings.timeout + read_time(pass.settings, Target{}, kScanRequest) + pass.settings.gap;
  return each * static_cast<Nanos::rep>(pass.units.size());
}

std::string describe_setting(const BusSettings& settings) {
  const auto* serial = std::get_if<SerialSettings>(&settings.port);
  if (serial == nullptr) return describe_port(settings);
  return describe_line(*serial);
}

std::string describe_units(const ScanPass& pass) {
  if (pass.units.size() == 1) return "unit " + std::to_string(pass.units.front());
  return "units " + std::to_string(pass.units.front()) + " to " + std::to_string(pass.units.back());
}

std::string describe_time(Nanos time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  if (seconds < 60) return std::to_string(seconds) + " s";
  const std::string minutes = std::to_string(seconds / 60) + " min";
  return seconds % 60 == 0 ? minutes : minutes + " " + std::to_string(seconds % 60) + " s";
}

std::string bus_flag(const std::string& name, const BusSettings& settings) {
  const auto* serial = std::get_if<SerialSettings>(&settings.port);
  if (serial == nullptr) {
    const bool rtu = std::get<TcpSettings>(settings.port).rtu;
    return "name=" + name + (rtu ? ",rtu-over-tcp=" : ",tcp=") + port_key(settings);
  }
  static const char* const directions[] = {"", ",rs485=kernel", ",rs485=rts-up", ",rs485=rts-down"};
  return "name=" + name + ",device=" + serial->device + ",baud=" + std::to_string(serial->baud) +
         ",mode=" + mode_name(*serial) + directions[static_cast<int>(serial->direction)];
}

}  // namespace metergate
