#pragma once

#include <mutex>

#include "agent/base/clock_step.h"
#include "agent/base/log.h"
#include "agent/protocol/events.h"

namespace metergate {

/// Notices steps of the wall clock and tells them, with the last records that were stamped before: whoever stamps a
/// record looks first. Safe for concurrent calls.
class ClockWatch {
 public:
  ClockWatch(Outbox& outbox, const Clock& clock, Log& log) : outbox_(outbox), clock_(clock), log_(log) { look(); }

  void look();
  /// Looks where nobody stamps anything; returns when it wants to be called next.
  MonoTime step(MonoTime now);

 private:
  Outbox& outbox_;
  const Clock& clock_;
  Log& log_;
  std::mutex mutex_;  // guards step_, and orders what is told
  ClockStep step_;
};

}  // namespace metergate
