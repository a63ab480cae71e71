#include "agent/bus/bus_connection.h"

#include "agent/base/json.h"

namespace metergate {

namespace {
constexpr Millis kReopenMin{500};
constexpr Millis kReopenMax{30'000};
constexpr Millis kForCommand{1'000};
}  // namespace

BusConnection::BusConnection(const BusParts& parts) : p_(parts), backoff_(kReopenMin, kReopenMax, parts.draw) {}

bool BusConnection::open_if_due(MonoTime now, bool for_command) {
  if (up_ || lent_) return false;
  if (now < (for_command ? last_try_ + kForCommand : reopen_at_)) return false;
  last_try_ = now;
  const Status opened = p_.bus->open();
  if (!opened) {
    lost(opened.error());
    return false;
  }
  if (tried_) {
    if (const std::int64_t changes = logged_.due(now); changes > 0)
      p_.log->info("bus up", {{"bus", name()}, {"changes", std::to_string(changes)}});
    JsonWriter json;
    json.member("bus", name());
    p_.events->tell("bus_up", name(), json.take());
  }
  up_ = true;
  tried_ = true;
  backoff_.reset();
  return true;
}

void BusConnection::lend(const std::string& why) {
  if (up_) p_.bus->close();
  if (up_) tried_ = false;  // no loss: what follows is no "bus up"
  up_ = false;
  lent_ = true;
  down_ = Error{Errc::kPaused, why, 0};
}

void BusConnection::take_back() {
  lent_ = false;
  reopen_at_ = last_try_ = MonoTime::min();
  backoff_.reset();
}

void BusConnection::lost(const Error& error) {
  const bool news = up_ || !tried_;
  up_ = false;
  tried_ = true;
  down_ = Error{Errc::kBusDown, error.detail, 0};
  reopen_at_ = p_.clock->mono() + backoff_.next();
  p_.bus->close();
  if (!news) return;
  if (const std::int64_t changes = logged_.due(p_.clock->mono()); changes > 0)
    p_.log->warn("bus down", {{"bus", name()}, {"why", error.detail}, {"changes", std::to_string(changes)}});
  JsonWriter json;
  json.member("bus", name()).member("why", error.detail);
  p_.events->tell("bus_down", name(), json.take());
}

}  // namespace metergate
