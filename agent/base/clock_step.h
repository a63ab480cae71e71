#pragma once

#include <optional>

#include "agent/base/clock.h"

namespace metergate {

/// Notices that the wall clock was set: it moved by more than a second against the monotonic one. What is less is
/// slewing. Pure; one thread.
class ClockStep {
 public:
  static constexpr Millis kSlewed{1000};

  /// By how much the wall clock was set since the last call; zero: it was not, or there was no call before.
  Millis look(const Moment& moment) {
    const Millis offset =
        moment.utc.time_since_epoch() - std::chrono::duration_cast<Millis>(moment.mono.time_since_epoch());
    const Millis moved = offset - offset_.value_or(offset);
    offset_ = offset;
    return std::chrono::abs(moved) > kSlewed ? moved : Millis{0};
  }
  bool looked() const { return offset_.has_value(); }

 private:
  std::optional<Millis> offset_;  // wall clock less monotonic
};

}  // namespace metergate
