#include "agent/bus/bus_connection.h"

#include <utility>

#include "agent/base/json.h"

namespace metergate {

namespace {
constexpr Millis kReopenMin{500};
constexpr Millis kReopenMax{30'000};
constexpr Millis kForCommand{1'000};
}  // namespace

BusConnection::BusConnection(std::string name, Bus& bus, Events& events, const Clock& clock, Log& log, Draw draw)
    : name_(std::move(name)),
      bus_(bus),
      events_(events),
      clock_(clock),
      log_(log),
      backoff_(kReopenMin, kReopenMax, std::move(draw)) {}

bool BusConnection::open_if_due(MonoTime now, bool for_command) {
  if (up_ || lent_) return false;
  if (now < (for_command ? last_try_ + kForCommand : reopen_at_)) return false;
  last_try_ = now;
  const Status opened = bus_.open();
  if (!opened) {
    lost(opened.error());
    return false;
  }
  if (tried_) {
    if (const std::int64_t changes = logged_.due(now); changes > 0)
      log_.info("bus up", {{"bus", name_}, {"changes", std::to_string(changes)}});
    JsonWriter json;
    json.member("bus", name_);
    events_.tell("bus_up", name_, json.take());
  }
  up_ = true;
  tried_ = true;
  backoff_.reset();
  return true;
}

void BusConnection::lend(const std::string& why) {
  if (up_) bus_.close();
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
  reopen_at_ = clock_.mono() + backoff_.next();
  bus_.close();
  if (!news) return;
  if (const std::int64_t changes = logged_.due(clock_.mono()); changes > 0)
    log_.warn("bus down", {{"bus", name_}, {"why", error.detail}, {"changes", std::to_string(changes)}});
  JsonWriter json;
  json.member("bus", name_).member("why", error.detail);
  events_.tell("bus_down", name_, json.take());
}

}  // namespace metergate
