#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/run/heartbeat.h"
#include "agent/run/sd_notify.h"

namespace metergate {

/// Tells the service manager how the process is. The manager's watchdog is fed at half its interval, and only while
/// every heartbeat is fresh: when a thread hangs, the manager ends the process. The heartbeats outlive it. One thread.
class Watchdog {
 public:
  Watchdog(std::vector<const Heartbeat*> heartbeats, Notify notify, std::optional<Micros> interval, Log& log);

  void ready();  ///< call it when flags and store are usable; the broker may be away
  void stopping();
  /// A new configuration is being checked or put in force, until ready() is called, by this process or by the program
  /// that follows under its pid.
  void reloading(MonoTime now);
  void status(const std::string& line);  ///< sent when it has changed; control characters become blanks
  /// The start or the stop takes longer: the manager waits for `more` from now. Of use only while it waits.
  void extend(Millis more);

  /// Feeds the manager's watchdog when it is time; returns when it wants to be called next.
  MonoTime step(MonoTime now);

 private:
  std::string stale_names(MonoTime now) const;
  std::vector<const Heartbeat*> heartbeats_;
  Notify notify_;
  std::optional<Micros> interval_;
  Log& log_;
  MonoTime next_feed_{MonoTime::min()};
  std::string status_;  // as last sent
  std::string logged_;  // names of stale heartbeats, as last logged
};

}  // namespace metergate
