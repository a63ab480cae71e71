#pragma once

#include <cstddef>

#include "agent/command/open_command.h"

namespace metergate {

/// What executes commands: a bus, or the replayer. Of each lane it holds the few that come next; the inbox is the
/// queue. Any thread.
class CommandSink {
 public:
  virtual ~CommandSink() = default;
  /// How many more it takes of this lane.
  virtual std::size_t room(const CommandLane& lane) const = 0;
  /// Where there is room. Wakes the one who executes it, in the order of arrival among those that are ready.
  virtual void give(OpenCommand command) = 0;
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
