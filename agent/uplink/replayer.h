#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/command/clock_rule.h"
#include "agent/command/command_sink.h"
#include "store/archive.h"
#include "store/inbox.h"
#include "store/key_value_store.h"

namespace metergate {

/// The replay that runs. A snapshot.
struct ReplayState {
  std::string command;
  std::int64_t sent = 0;    ///< records acknowledged by the broker
  std::string epoch;        ///< of the last of them
  std::int64_t seq = 0;     ///< the last of them
  std::size_t waiting = 0;  ///< replays behind it
};

/// Runs the commands `replay`, one after the other: searches the archive piece by piece, counts a record as done at its
/// PUBACK, and answers at the end. The store keeps how far the running one is: it continues there after a restart, and
/// sends once more what had no PUBACK. One thread, but where it says otherwise.
class Replayer : public CommandSink {
 public:
  /// Filled by name; what is pointed to outlives the replayer.
  struct Parts {
    Archive* archive = nullptr;
    Inbox* inbox = nullptr;
    KeyValueStore* key_values = nullptr;
    const Clock* clock = nullptr;
    ClockRule clock_rule;
    std::string gateway;
    std::function<void()> given;  ///< there is something to do; any thread
    std::function<void()> ended;  ///< there is room for another
    std::function<bool(const std::string& meter)> configured = [](const std::string&) { return true; };
  };
  static constexpr std::size_t kQueue = 8;
  static constexpr std::size_t kMostRanges = 400;  ///< that one result names; the others are counted
  explicit Replayer(Parts parts) : p_(std::move(parts)) {}

  // Any thread.
  void give(OpenCommand command) override;
  std::size_t room(const CommandLane& lane) const override;
  std::optional<ReplayState> state() const;

  /// Of the replay that runs.
  std::optional<Lane> running() const { return job_ ? std::optional(job_->command.replay.lane) : std::nullopt; }
  /// The same; begins the next replay if none is. Waits for the store's thread. Errors: kStorage,
  /// kCorrupt: ask again later.
  Result<std::optional<Lane>> lane();
  struct Outgoing {
    std::string payload;
    std::int64_t records = 0;
    std::int64_t piece = 0;  ///< for acked()
    bool search_on = false;  ///< no records among those looked at so far, there may be more
  };
  /// What comes next, not taken before sent(). Without records: nothing to send. Errors as lane().
  Result<Outgoing> next(std::size_t max_rows, std::size_t max_bytes);
  /// What next() returned last was published.
  void sent();
  void acked(std::int64_t piece);
  /// The connection is gone: goes back to what was not acknowledged.
  void lost();

 private:
  struct Pending {
    std::int64_t id;
    ReplayPiece piece;
    bool acked;
  };
  /// What survives a restart.
  struct Progress {
    ReplayPlace place;
    std::int64_t sent = 0;
    std::vector<MissingRange> missing;
    std::int64_t more_missing = 0;  // ranges beyond kMostRanges
    UtcTime started{};
  };
  Status begin();
  void pass_over();
  Result<Outgoing> look_for_meter(std::size_t max_rows, std::size_t max_bytes);
  void reject_unknown_meter();
  void settle();
  void note(const ReplayPiece& piece);
  void finish();
  void end_well();
  void complete(const OpenCommand& command, CommandResult result);
  std::string saved() const;
  Progress resumed(const std::string& saved) const;

  Parts p_;
  std::optional<OpenCommand> job_;
  Progress done_;
  ReplayPlace cursor_;           // published up to here
  bool searched_ = false;        // up to the end
  ReplayPiece next_;             // of next(), not yet sent
  std::deque<Pending> pending_;  // bounded by the forwarder's window
  std::int64_t last_id_ = 0;
  std::optional<ReplayPlace>
      looking_;  // nothing was found of a meter that is not configured: whether any record is kept

  mutable std::mutex mutex_;  // guards all below
  std::deque<OpenCommand> given_;
  std::optional<ReplayState> state_;
};

}  // namespace metergate
