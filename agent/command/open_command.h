#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "agent/base/clock.h"
#include "agent/command/command_plan.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command_text.h"
#include "store/store.h"

namespace metergate {

/// Commands that wait for the same: those to one target, reads and writes apart.
struct CommandLane {
  std::uint64_t target = 0;  ///< CommandPlan's
  bool write = false;
  bool operator<(const CommandLane& o) const { return std::pair(target, write) < std::pair(o.target, o.write); }
};

/// Somebody on this machine who waits for a result.
struct LocalClient {
  std::function<void(const CommandResult& result)> answer;  ///< called on the bus's thread; must not block
  std::function<bool()> gone = [] { return false; };        ///< nobody wants the result any more; any thread
};

/// A command that was handed to the one who executes it.
struct OpenCommand {
  StoredCommand stored;  ///< without its body
  Command command;
  CommandPlan plan;
  MonoTime arrived{};                ///< here: its place in the order, and for the wait for a trusted clock
  std::optional<LocalClient> local;  ///< set: it is tried once, and the store knows nothing of it

  CommandLane lane() const { return {plan.target, stored.write}; }
};

}  // namespace metergate
