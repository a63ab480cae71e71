#pragma once

#include <functional>

#include "agent/base/clock.h"
#include "agent/command/command_plan.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command_text.h"
#include "store/store.h"

namespace metergate {

/// A command that was handed to the one who executes it.
struct OpenCommand {
  StoredCommand stored;
  Command command;
  CommandPlan plan;
  MonoTime arrived{};  ///< here, for the wait for a trusted clock
  /// Set: asked on the spot. It is tried once and its result told here, on the bus's thread, not to the store.
  std::function<void(const CommandResult& result)> local;
};

}  // namespace metergate
