#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "agent/base/log.h"
#include "agent/command/clock_rule.h"
#include "agent/command/command_sink.h"
#include "agent/crypto/signature.h"
#include "agent/remote/remote_trials.h"
#include "store/inbox.h"
#include "store/outbox.h"

namespace metergate {

/// Executes `configure`: checks the new configuration, has the process start again with it, and ends the command when
/// it is confirmed or the one before is in force again. One thread, but where it says otherwise.
class RemoteChanger : public CommandSink {
 public:
  /// Nothing while the check runs; then whether a start with that version would succeed.
  using Check = std::function<std::optional<Status>(MonoTime)>;

  /// Filled by name; what is pointed to outlives the changer.
  struct Parts {
    RemoteTrials* trials = nullptr;  ///< loaded, after start()
    Inbox* inbox = nullptr;
    Outbox* outbox = nullptr;
    const Clock* clock = nullptr;
    Log* log = nullptr;
    ClockRule clock_rule;
    RemoteOptions options;
    std::optional<VerifyKey> key;  ///< set: a change has to be signed with it,
    std::string gateway;           ///< and for this gateway
    std::string config;            ///< what is in force
    std::function<Result<Check>(const std::string& version)> check;
    std::function<Result<std::string>(const std::string& version)> config_of;  ///< of what would be in force with it
    std::function<void()> given;                                               ///< there is something to do; any thread
    std::function<void()> ended;                                               ///< there is room for another
    std::function<void()> restart;  ///< the process is to start again; must not block
  };
  static constexpr std::size_t kQueue = 8;
  explicit RemoteChanger(Parts parts);

  // Any thread.
  void give(OpenCommand command) override;
  std::size_t room(const CommandLane& lane) const override;

  /// The process is ready: the time of a trial counts from now.
  void ready();
  /// Returns when it wants to be called next.
  MonoTime step(MonoTime now);
  /// `fresh`: it came over a connection of this process. The result's members, or why it is rejected.
  std::variant<std::string, Failure> confirm(const std::string& config, bool fresh);
  /// Pages of the configuration in force, each JSON members: where it is from, its text and files in pieces of which
  /// the next page goes on with the last.
  std::vector<std::string> pages(const std::string& local, std::size_t max_bytes) const;

 private:
  std::optional<OpenCommand> take();
  void begin(OpenCommand command);
  std::optional<Failure> check_signature(const Command& command) const;
  bool tell_outcome(const OpenCommand& command);
  /// Nothing: it is answered, since it was a part that is not the last or cannot be read.
  std::optional<RemoteText> whole(const OpenCommand& command);
  void checked(const Status& usable);
  void finish(const OpenCommand& command, std::string status, std::optional<Failure> failure, std::string more = "");
  void reject(const OpenCommand& command, const std::string& code, const std::string& message, std::string more = "");
  void watch(MonoTime now);
  void tell(const std::string& event, const std::string& members);

  Parts p_;
  mutable std::mutex mutex_;  // guards given_
  std::deque<OpenCommand> given_;
  std::optional<OpenCommand> current_;  // is checked, or on trial
  std::string version_;                 // of it
  Check check_;                         // set while it is checked
  bool leaving_ = false;                // the process starts again
  std::atomic<bool> ready_{false};
  MonoTime saved_{};  // until then the trial's time is on disk
  bool counting_ = false;
};

}  // namespace metergate
