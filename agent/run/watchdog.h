#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/run/heartbeat.h"
#include "agent/run/sd_notify.h"

namespace metergate {

/// Speaks with the service manager. One thread. The watchdog is fed at half its time, and only while every heartbeat is
/// fresh: a thread that hangs lets the manager end the process. The heartbeats outlive it.
class Watchdog {
 public:
  Watchdog(std::vector<const Heartbeat*> heartbeats, Notify notify, std::optional<Micros> watchdog, Log& log);

  void ready();  ///< flags and store are usable; not before, and without waiting for the broker
  void stopping();
  void status(const std::string& line);  ///< sent when it is another than before; control characters become blanks
  /// Start or stop goes on: the manager waits for so much longer from now. Only while it waits.
  void extend(Millis more);

  /// Feeds the watchdog when it is time; returns when it wants to be called next.
  MonoTime step(MonoTime now);

 private:
  std::string stale(MonoTime now) const;
  std::vector<const Heartbeat*> heartbeats_;
  Notify notify_;
  std::optional<Micros> watchdog_;
  Log& log_;
  MonoTime next_feed_{MonoTime::min()};
  std::string status_;
  std::string stale_;  // as it was logged
};

}  // namespace metergate
