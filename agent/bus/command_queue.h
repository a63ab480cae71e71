#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "agent/command/open_command.h"

namespace metergate {

/// What was given to a bus and has not ended, counted by lane, and those of local clients by themselves. Safe for
/// concurrent calls.
class CommandQueue {
 public:
  static constexpr std::size_t kLane = 16;
  static constexpr std::size_t kLocal = 16;

  std::size_t room(const CommandLane& lane) const;
  void add(OpenCommand command);
  /// False: there are as many as there may be.
  bool add_local(OpenCommand command);
  /// What was added since the last call.
  std::vector<OpenCommand> take();
  void ended(const OpenCommand& command);
  /// All of them.
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;  // guards all below
  std::vector<OpenCommand> added_;
  std::map<CommandLane, std::size_t> held_;
  std::size_t local_ = 0;
};

}  // namespace metergate
