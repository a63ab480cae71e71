#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/command/open_command.h"
#include "agent/config/site.h"
#include "store/inbox.h"

namespace metergate {

/// From the inbox to the buses: hands each bus its open commands in the order of arrival, and answers those that need
/// no bus. The inbox is the queue; a bus holds only the few that it executes next. One thread.
class Dispatcher {
 public:
  struct BusQueue {
    std::function<std::size_t()> room;
    std::function<void(std::vector<OpenCommand>)> give;  ///< and wakes the bus
    std::function<UtcTime(Millis)> pause;                ///< returns its end
    std::function<void()> resume;
  };
  struct Parts {
    const Site& site;
    Inbox& inbox;
    const Clock& clock;
    std::map<std::string, BusQueue> buses;
    std::function<std::string()> status;  ///< JSON members
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

  Parts p_;
  std::map<std::string, std::int64_t> handed_;  // key of the last command that each bus was given
  bool orphans_ended_ = false;
};

}  // namespace metergate
