#include "agent/bus/meter_watch.h"

#include <algorithm>

#include "agent/base/json.h"

namespace metergate {

MeterWatch::MeterWatch(const BusParts& parts) : p_(parts) {
  for (const MeterConfig& meter : p_.config->meters) {
    meters_.emplace_back();
    meters_.back().state.id = meter.spec.id;
  }
}

std::vector<MeterState> MeterWatch::states() const {
  std::vector<MeterState> out;
  for (const Meter& meter : meters_) {
    out.push_back(meter.state);
    out.back().silent = meter.health.silent();
  }
  return out;
}

void MeterWatch::frame(std::size_t m, MonoTime now) {
  Meter& meter = meters_[m];
  if (!meter.health.on_frame()) return;
  const auto silent_or_it = [&meter](const Meter& other) { return &other == &meter || other.health.silent(); };
  if (std::all_of(meters_.begin(), meters_.end(), silent_or_it)) port_opened(now);  // the line itself was at fault
  if (const std::int64_t changes = meter.logged.due(now); changes > 0) {
    p_.log->info("meter back",
                 {{"bus", p_.config->spec.name}, {"meter", meter.state.id}, {"changes", std::to_string(changes)}});
  }
  JsonWriter json;
  json.member("meter", meter.state.id).member("bus", p_.config->spec.name);
  p_.events->tell("meter_back", meter.state.id, json.take());
}

bool MeterWatch::failed_poll(std::size_t m, MonoTime began, MonoTime now, const std::string& code) {
  Meter& meter = meters_[m];
  if (!meter.health.on_failed_poll(began, now)) return false;
  if (const std::int64_t changes = meter.logged.due(now); changes > 0) {
    p_.log->warn("meter silent", {{"bus", p_.config->spec.name},
                                  {"meter", meter.state.id},
                                  {"code", code},
                                  {"changes", std::to_string(changes)}});
  }
  JsonWriter json;
  json.member("meter", meter.state.id).member("bus", p_.config->spec.name).member("code", code);
  p_.events->tell("meter_silent", meter.state.id, json.take());
  return true;
}

void MeterWatch::port_opened(MonoTime now) {
  for (Meter& meter : meters_) meter.health.ask_now(now);
}

}  // namespace metergate
