#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/log_throttle.h"
#include "agent/bus/bus_connection.h"
#include "agent/bus/bus_parts.h"
#include "agent/bus/bus_pause.h"
#include "agent/bus/bus_state.h"
#include "agent/bus/command_runner.h"
#include "agent/bus/foreign_watch.h"
#include "agent/bus/poll_runner.h"
#include "agent/command/command_sink.h"

namespace metergate {

/// One bus: its commands before its polls, one transaction a step; after four commands in a row one poll transaction
/// that is due goes first. Owned by the bus's thread, but for give(), room() and state().
class BusWorker : public CommandSink {
 public:
  explicit BusWorker(BusParts parts);

  /// At most one transaction, with its guard and the opening of the port; returns when it wants to be called next.
  MonoTime step(MonoTime now);

  void give(std::vector<OpenCommand> commands) override;
  std::size_t room() const override;
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

  const BusParts p_;
  BusConnection connection_;
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
