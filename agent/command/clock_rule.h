#pragma once

#include <optional>

#include "agent/base/clock.h"

namespace metergate {

/// When the wall clock is known to be wrong, and what may then be judged by it. A clock that the kernel calls
/// synchronised may be set back behind what an earlier, wrong one left in the store, but never behind the program's
/// build.
struct ClockRule {
  UtcTime built{};
  UtcTime newest{};  ///< the newest time in the store

  bool known_wrong(const Clock& clock) const {
    const UtcTime now = clock.utc();
    return now < built || (now < newest && !clock.synced());
  }
  /// Good enough for a write.
  bool trusted(const Clock& clock) const { return clock.synced() && !known_wrong(clock); }
  /// From the instant of `expires` on; never by a clock that is known to be wrong.
  bool expired(const std::optional<UtcTime>& expires, const Clock& clock) const {
    return expires && !known_wrong(clock) && clock.utc() >= *expires;
  }
};

}  // namespace metergate
