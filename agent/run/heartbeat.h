#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "agent/base/clock.h"

namespace metergate {

/// The latest time by which a thread promised to show progress. Written by its thread, read by the watchdog.
class Heartbeat {
 public:
  explicit Heartbeat(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }

  /// A step that may block for long (a transaction on a slow line) says until when at most. Replaces the promise
  /// before.
  void busy_until(MonoTime t) { promise_.store(t.time_since_epoch().count()); }
  /// The thread has ended as it should: fresh for ever.
  void ended() { busy_until(MonoTime::max()); }
  /// The thread has failed: never fresh again.
  void failed() { busy_until(MonoTime::min()); }

  bool fresh(MonoTime now) const { return now.time_since_epoch().count() <= promise_.load(); }

 private:
  std::string name_;
  std::atomic<Nanos::rep> promise_{MonoTime::max().time_since_epoch().count()};  // until the thread starts
};

}  // namespace metergate
