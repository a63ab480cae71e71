#include "agent/bus/bus_connection.h"

#include <algorithm>
#include <utility>

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
  if (now < (for_command ? std::min(reopen_at_, last_try_ + kForCommand) : reopen_at_)) return false;
  last_try_ = now;
  const Status opened = p_.bus->open();
  if (!opened) {
    lost(opened.error());
    return false;
  }
  up_ = true;
  answered_ = false;
  if (down_told_ && !unproved_) tell_up();
  return !std::exchange(broke_off_, false) && !unproved_;
}

bool BusConnection::answered() {
  if (std::exchange(answered_, true)) return false;
  backoff_.reset();
  unproved_ = false;
  if (!down_told_) return false;
  tell_up();
  return true;
}

void BusConnection::lend(const std::string& why) {
  if (up_) p_.bus->close();
  up_ = broke_off_ = false;
  lent_ = true;
  why_down_ = Error{Errc::kPaused, why, 0};
}

void BusConnection::take_back() {
  lent_ = unproved_ = false;
  reopen_at_ = last_try_ = MonoTime::min();
  backoff_.reset();
}

void BusConnection::lost(const Error& error) {
  broke_off_ = up_ && answered_;
  unproved_ = up_ && !answered_;
  up_ = false;
  why_down_ = Error{Errc::kBusDown, error.detail, 0};
  p_.bus->close();
  reopen_at_ = broke_off_ ? p_.clock->mono() : p_.clock->mono() + backoff_.next();
  if (!broke_off_ && !down_told_) tell_down(error);
}

void BusConnection::tell_down(const Error& error) {
  down_told_ = true;
  if (const std::int64_t changes = logged_.due(p_.clock->mono()); changes > 0)
    p_.log->warn("bus down", {{"bus", name()}, {"why", error.detail}, {"changes", std::to_string(changes)}});
  JsonWriter json;
  json.member("bus", name()).member("why", error.detail);
  p_.events->tell("bus_down", name(), json.take());
}

void BusConnection::tell_up() {
  down_told_ = false;
  if (const std::int64_t changes = logged_.due(p_.clock->mono()); changes > 0)
    p_.log->info("bus up", {{"bus", name()}, {"changes", std::to_string(changes)}});
  JsonWriter json;
  json.member("bus", name());
  p_.events->tell("bus_up", name(), json.take());
}

}  // namespace metergate
