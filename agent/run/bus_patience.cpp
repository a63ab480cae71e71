#include "agent/run/bus_patience.h"

#include <algorithm>

namespace metergate {

namespace {
constexpr int kRequests = 3;
constexpr Millis kBesideRequests{10'000};
}  // namespace

Millis patience_of(const BusConfig& config) {
  Millis slowest = config.spec.settings.timeout;
  for (const MeterConfig& meter : config.meters) slowest = std::max(slowest, meter.target.timeout.value_or(slowest));
  if (const auto* tcp = std::get_if<TcpSettings>(&config.spec.settings.port)) slowest += tcp->connect_timeout;
  return kRequests * slowest + kBesideRequests;
}

}  // namespace metergate
