#pragma once

#include <atomic>

#include "agent/base/clock.h"

namespace metergate {

/// Whether another gateway uses this one's id: its epoch was read on the status topic. Safe for concurrent calls.
class DuplicateWatch {
 public:
  static constexpr Millis kQuarantine{600'000};

  void seen(MonoTime now) { until_ = (now + kQuarantine).time_since_epoch().count(); }
  bool writes_allowed(MonoTime now) const { return now.time_since_epoch().count() >= until_; }

 private:
  std::atomic<Nanos::rep> until_{MonoTime::min().time_since_epoch().count()};
};

}  // namespace metergate
