#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/log_throttle.h"
#include "agent/bus/bus_pause.h"
#include "agent/bus/bus_state.h"
#include "agent/bus/command_runner.h"
#include "agent/bus/foreign_watch.h"
#include "agent/bus/poll_runner.h"

namespace metergate {

/// One bus: its commands before its polls, one transaction a step; after four commands in a row one poll transaction
/// that is due goes first. Owned by the bus's thread, but for give(), room() and state().
class BusWorker {
 public:
  struct Parts {
    const BusConfig& config;
    Bus& bus;
    Outbox& outbox;
    Inbox& inbox;
    Events& events;
    const Clock& clock;
    Log& log;
    Draw draw;
    std::string catalog;
    ClockRule rule;
    std::function<bool()> writes_allowed;
    BusPause& pause;
    KeyValueStore& memory;
    SerialRegistry& serials;
    std::function<void()> command_ended;         ///< there is room for another; must not block
    std::function<void()> before_stamp = [] {};  ///< called before a reading or result is stamped; must not block
    std::function<void(const Reading&)> seen = [](const Reading&) {};  ///< each reading that goes up; must not block
  };
  explicit BusWorker(Parts parts);

  /// At most one transaction, with its guard and the opening of the port; returns when it wants to be called next.
  MonoTime step(MonoTime now);

  /// Commands in the order of arrival; at most room() of them.
  void give(std::vector<OpenCommand> commands);
  std::size_t room() const;
  BusState state() const;

  static constexpr std::size_t kQueue = 64;

 private:
  void fetch_given();
  void follow_pause(MonoTime now);
  bool work(MonoTime now);
  bool step_command(MonoTime now);
  bool step_poll(MonoTime now);
  void look_for_second_master(MonoTime now);
  void publish_state();

  Parts p_;
  BusConnection port_;
  MeterWatch meters_;
  PollRunner polls_;
  CommandRunner commands_;
  ForeignWatch foreign_;
  ChangeThrottle second_master_logged_;
  int commands_in_row_ = 0;
  std::int64_t commands_done_ = 0;
  MonoTime state_told_{};
  BusPause::Wish wish_;               // that is followed
  std::atomic<std::size_t> held_{0};  // given and not ended

  mutable std::mutex mutex_;  // guards given_ and state_
  std::vector<OpenCommand> given_;
  BusState state_;
};

}  // namespace metergate
