#pragma once

#include <functional>

#include "agent/base/clock.h"
#include "agent/command/command_plan.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command.h"
#include "store/store.h"

namespace metergate {

/// A command that was handed to its bus.
struct OpenCommand {
  StoredCommand stored;
  Command command;
  CommandPlan plan;
  MonoTime arrived{};  ///< here, for the wait for a trusted clock
  /// Set: asked on the spot. It is tried once and its result told here, on the bus's thread, not to the store.
  std::function<void(const CommandResult& result)> local;
};

/// When the wall clock is known to be wrong. A clock that the kernel calls synchronised may be set back behind what an
/// earlier, wrong one left in the store, but never behind the program's build.
struct ClockRule {
  UtcTime built{};
  UtcTime newest{};  ///< the newest time in the store

  bool known_wrong(const Clock& clock) const {
    const UtcTime now = clock.utc();
    return now < built || (now < newest && !clock.synced());
  }
};

}  // namespace metergate
