#pragma once

#include <cstddef>
#include <vector>

#include "agent/command/open_command.h"

namespace metergate {

/// What executes commands: a bus, or the replayer. It holds the few that come next; the inbox is the queue. Any thread.
class CommandSink {
 public:
  virtual ~CommandSink() = default;
  /// How many more it takes.
  virtual std::size_t room() const = 0;
  /// In the order of arrival, at most room(). Wakes the one who executes them.
  virtual void give(std::vector<OpenCommand> commands) = 0;
};

/// What can be told to leave its port alone. Waits for the store. Any thread.
class Pausable {
 public:
  virtual ~Pausable() = default;
  /// From now on; one that runs gets a new end. Returns the end.
  virtual UtcTime begin(Millis length) = 0;
  /// False: there was no pause.
  virtual bool end() = 0;
};

}  // namespace metergate
