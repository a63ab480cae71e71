#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/command/backlog.h"
#include "agent/command/clock_rule.h"
#include "agent/command/command_sink.h"
#include "agent/command/parsed_commands.h"
#include "agent/config/site.h"
#include "store/inbox.h"

namespace metergate {

/// Bytes of one page of an answer; the rest of the record is for what every result has.
constexpr std::size_t kMaxAnswerPage = kMaxRecordBody - 1024;
constexpr std::size_t kMaxCatalogPage = kMaxAnswerPage - 16;  ///< its name is added

/// From the inbox to the buses: hands each bus its open commands, as many of each lane as it has room for, and answers
/// those that need no bus. What waits behind them costs nobody else anything: other lanes pass, and what expires ends
/// at its time. One thread, but for changed() and waiting().
class Dispatcher {
 public:
  /// Filled by name; what is pointed to outlives the dispatcher.
  struct Parts {
    const Site* site = nullptr;
    Inbox* inbox = nullptr;
    ParsedCommands* parsed = nullptr;
    const Clock* clock = nullptr;
    ClockRule clock_rule;
    std::map<std::string, CommandSink*> sinks;         ///< by bus, and kReplayQueue, kRemoteQueue
    std::map<std::string, Pausable*> pauses;           ///< by bus
    std::function<std::vector<std::string>()> status;  ///< pages of JSON members
    /// Pages, each a JSON object; "" is the present one.
    std::function<Result<std::optional<std::vector<std::string>>>(const std::string& hash)> catalog;
    std::function<std::vector<std::string>()> configuration;  ///< pages of JSON members
    /// confirm, log and trace: the result's members. `fresh`: it came over a connection of this process.
    std::function<std::variant<std::string, Failure>(const Command& command, bool fresh)> remote;
  };
  explicit Dispatcher(Parts parts);

  /// The inbox has a new command of this bus ("" for none), or the bus has room again. A hint: what was not told is
  /// found within a minute. Any thread; does not block.
  void changed(const std::string& bus);
  /// Open commands of the bus that it has no room for yet, as of the last step. Any thread.
  std::size_t waiting(const std::string& bus) const;
  /// A bounded piece of work; returns when it wants to be called next.
  MonoTime step(MonoTime now);

 private:
  struct Queue {
    CommandSink* sink = nullptr;  // null: of no bus, or of one that is gone
    std::int64_t seen = 0;        // the key of the last command that was looked at
    Backlog backlog;
  };
  enum class Served { kAll, kMore, kFailed };

  bool end_orphans();
  Served serve(const std::string& bus, Queue& queue, MonoTime now);
  bool refill(const std::string& bus, Queue& queue);
  bool end_expired(const std::string& bus, Queue& queue);
  Result<std::optional<StoredCommand>> fetch(const std::string& bus, std::int64_t key);
  std::optional<OpenCommand> open_or_end(const StoredCommand& stored, const std::string& bus, MonoTime arrived);
  void answer(const StoredCommand& stored, const Command& command, bool fresh);
  std::variant<std::string, Failure> answer_of(const Command& command, bool fresh);

  Parts p_;
  std::map<std::string, Queue> queues_;
  bool orphans_ended_ = false;
  MonoTime look_at_all_ = MonoTime::min();

  mutable std::mutex mutex_;  // guards all below
  std::set<std::string> changed_;
  std::map<std::string, std::size_t> waiting_;
};

}  // namespace metergate
