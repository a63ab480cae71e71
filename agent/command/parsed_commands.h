#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "agent/command/command_plan.h"
#include "agent/protocol/command_text.h"

namespace metergate {

/// What the intake has parsed and planned, from the commit until the dispatcher takes it by the command's key in the
/// store, so that nothing is parsed twice. Only a shortcut: what is not here (an earlier run's, or one of more than
/// kMost that came at once) is parsed from the store. Any thread.
class ParsedCommands {
 public:
  static constexpr std::size_t kMost = 64;
  struct Parsed {
    Command command;
    CommandPlan plan;
  };

  /// Beyond kMost the oldest goes.
  void put(std::int64_t key, Parsed parsed);
  std::optional<Parsed> take(std::int64_t key);

 private:
  std::mutex mutex_;  // guards parsed_
  std::map<std::int64_t, Parsed> parsed_;
};

}  // namespace metergate
