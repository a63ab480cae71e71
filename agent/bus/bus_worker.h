#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "agent/base/log_throttle.h"
#include "agent/bus/bus_connection.h"
#include "agent/bus/bus_parts.h"
#include "agent/bus/bus_pause.h"
#include "agent/bus/bus_state.h"
#include "agent/bus/command_runner.h"
#include "agent/bus/poll_runner.h"
#include "agent/bus/second_master_watch.h"
#include "agent/command/command_sink.h"

namespace metergate {

/// One bus: its commands before its polls, one transaction a step; after four commands in a row one poll transaction
/// that is due goes first. Owned by the bus's thread, but for give(), give_local(), room() and state().
class BusWorker : public CommandSink {
 public:
  explicit BusWorker(BusParts parts);

  /// At most one transaction, with its guard and the opening of the port; returns when it wants to be called next.
  MonoTime step(MonoTime now);

  /// The last call: tells what was counted and not told yet.
  void finish() { polls_.finish(); }

  void give(OpenCommand command) override;
  std::size_t room(const CommandLane& lane) const override { return queue_.room(lane); }
  /// For a client on this machine. False: too many wait, nothing was taken.
  bool give_local(OpenCommand command);
  BusState state() const;

 private:
  void follow_pause(MonoTime now);
  bool work(MonoTime now);
  bool step_command(MonoTime now);
  bool step_poll(MonoTime now);
  void look_for_second_master(MonoTime now);
  void publish_state();

  const BusParts p_;
  BusConnection connection_;
  MeterWatch meters_;
  PollRunner polls_;
  CommandQueue queue_;
  CommandRunner commands_;
  SecondMasterWatch second_master_watch_;
  ChangeThrottle second_master_logged_;
  ChangeThrottle pause_logged_;
  int commands_in_row_ = 0;
  MonoTime state_told_{};
  BusPause::Wish wish_;  // that is followed

  mutable std::mutex mutex_;  // guards state_
  BusState state_;
};

}  // namespace metergate
