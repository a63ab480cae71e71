#include "agent/bus/meter_watch.h"

#include <algorithm>

#include "agent/base/json.h"

namespace metergate {

MeterWatch::MeterWatch(const BusConfig& config, Events& events, Log& log) : config_(config), events_(events), log_(log) {
  for (const MeterConfig& meter : config.meters) {
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
    log_.info("meter back",
              {{"bus", config_.spec.name}, {"meter", meter.state.id}, {"changes", std::to_string(changes)}});
  }
  JsonWriter json;
  json.member("meter", meter.state.id).member("bus", config_.spec.name);
  events_.tell("meter_back", meter.state.id, json.take());
}

bool MeterWatch::failed_poll(std::size_t m, MonoTime began, MonoTime now, const std::string& code) {
  Meter& meter = meters_[m];
  if (!meter.health.on_failed_poll(began, now)) return false;
  if (const std::int64_t changes = meter.logged.due(now); changes > 0) {
    log_.warn(
        "meter silent",
        {{"bus", config_.spec.name}, {"meter", meter.state.id}, {"code", code}, {"changes", std::to_string(changes)}});
  }
  JsonWriter json;
  json.member("meter", meter.state.id).member("bus", config_.spec.name).member("code", code);
  events_.tell("meter_silent", meter.state.id, json.take());
  return true;
}

void MeterWatch::port_opened(MonoTime now) {
  for (Meter& meter : meters_) meter.health.ask_now(now);
}

}  // namespace metergate
