#pragma once

#include "agent/base/log.h"
#include "agent/events.h"

namespace metergate {

/// Notices steps of the wall clock and tells them, with the last records that were stamped before. One thread.
class ClockWatch {
 public:
  ClockWatch(Outbox& outbox, const Clock& clock, Log& log) : outbox_(outbox), clock_(clock), log_(log) {}

  MonoTime step(MonoTime now);

 private:
  Outbox& outbox_;
  const Clock& clock_;
  Log& log_;
  std::optional<Millis> offset_;
  std::array<std::int64_t, kLanes> last_{};
};

}  // namespace metergate
