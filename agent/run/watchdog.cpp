#include "agent/run/watchdog.h"

#include <algorithm>
#include <utility>

namespace metergate {
namespace {

constexpr Millis kLookAgain{1'000};    // while a thread hangs
constexpr Millis kLookAlways{10'000};  // without a watchdog: for the log

}  // namespace

Watchdog::Watchdog(std::vector<const Heartbeat*> heartbeats, Notify notify, std::optional<Micros> watchdog, Log& log)
    : heartbeats_(std::move(heartbeats)), notify_(std::move(notify)), watchdog_(watchdog), log_(log) {}

void Watchdog::ready() { notify_("READY=1"); }

void Watchdog::stopping() { notify_("STOPPING=1"); }

void Watchdog::status(const std::string& line) {
  std::string clean = line;
  // A line break would begin another assignment.
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  if (clean == status_) return;
  status_ = std::move(clean);
  notify_("STATUS=" + status_);
}

void Watchdog::extend(Millis more) { notify_("EXTEND_TIMEOUT_USEC=" + std::to_string(Micros{more}.count())); }

std::string Watchdog::stale(MonoTime now) const {
  std::string names;
  for (const Heartbeat* heartbeat : heartbeats_) {
    if (!heartbeat->fresh(now)) names += (names.empty() ? "" : ", ") + heartbeat->name();
  }
  return names;
}

MonoTime Watchdog::step(MonoTime now) {
  const std::string names = stale(now);
  if (names != stale_) {
    if (names.empty()) {
      log_.warn("every thread answers again");
    } else {
      log_.error("thread hangs, the watchdog is not fed", {{"threads", names}});
    }
    stale_ = names;
  }
  if (now < next_feed_) return next_feed_;
  if (!names.empty()) return now + kLookAgain;
  if (watchdog_) notify_("WATCHDOG=1");
  next_feed_ = now + (watchdog_ ? *watchdog_ / 2 : Micros{kLookAlways});
  return next_feed_;
}

}  // namespace metergate
