#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/command/command_sink.h"
#include "agent/config/site.h"
#include "store/inbox.h"

namespace metergate {

/// From the inbox to the buses: hands each bus its open commands in the order of arrival, and answers those that need
/// no bus. The inbox is the queue; a bus holds only the few that it executes next. One thread.
class Dispatcher {
 public:
  /// Filled by name; what is pointed to outlives the dispatcher.
  struct Parts {
    const Site* site = nullptr;
    Inbox* inbox = nullptr;
    const Clock* clock = nullptr;
    std::map<std::string, CommandSink*> sinks;  ///< by bus, and kReplayQueue
    std::map<std::string, Pausable*> pauses;    ///< by bus
    std::function<std::string()> status;        ///< JSON members
    std::function<Result<std::optional<std::string>>(const std::string& hash)>
        catalog;  ///< JSON members; "" is the present one
  };
  explicit Dispatcher(Parts parts) : p_(std::move(parts)) {}

  MonoTime step(MonoTime now);

 private:
  bool end_orphans();
  bool serve(const std::string& bus, MonoTime now);
  void answer(const StoredCommand& stored, const Command& command);
  void reject(const StoredCommand& stored, CommandResult result, Failure failure);
  void open_or_end(const StoredCommand& stored, const std::string& bus, MonoTime now, std::vector<OpenCommand>& out);

  Parts p_;
  std::map<std::string, std::int64_t> handed_;  // key of the last command that each bus was given
  bool orphans_ended_ = false;
};

}  // namespace metergate
