#include "agent/run/watchdog.h"

#include <algorithm>
#include <utility>

namespace metergate {
namespace {

constexpr Millis kLookWhileHanging{1'000};
constexpr Millis kLookWithoutWatchdog{10'000};  // for the log alone

}  // namespace

Watchdog::Watchdog(std::vector<const Heartbeat*> heartbeats, Notify notify, std::optional<Micros> interval, Log& log)
    : heartbeats_(std::move(heartbeats)), notify_(std::move(notify)), interval_(interval), log_(log) {}

void Watchdog::ready() { notify_("READY=1"); }

void Watchdog::stopping() { notify_("STOPPING=1"); }

void Watchdog::reloading(MonoTime now) {
  const auto since = std::chrono::duration_cast<Micros>(now.time_since_epoch());
  notify_("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(since.count()));
}

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

std::string Watchdog::stale_names(MonoTime now) const {
  std::string names;
  for (const Heartbeat* heartbeat : heartbeats_) {
    if (!heartbeat->fresh(now)) names += (names.empty() ? "" : ", ") + heartbeat->name();
  }
  return names;
}

MonoTime Watchdog::step(MonoTime now) {
  const std::string names = stale_names(now);
  if (names != logged_) {
    if (names.empty()) {
      log_.warn("every thread answers again");
    } else {
      log_.error("thread hangs, the watchdog is not fed", {{"threads", names}});
    }
    logged_ = names;
  }
  if (now < next_feed_) return next_feed_;
  if (!names.empty()) return now + kLookWhileHanging;
  if (interval_) notify_("WATCHDOG=1");
  next_feed_ = now + (interval_ ? *interval_ / 2 : Micros{kLookWithoutWatchdog});
  return next_feed_;
}

}  // namespace metergate
