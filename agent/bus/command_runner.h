#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "agent/base/log_throttle.h"
#include "agent/bus/bus_connection.h"
#include "agent/bus/command_job.h"
#include "agent/bus/command_queue.h"
#include "agent/bus/poll_runner.h"

namespace metergate {

/// The commands of one bus in the order of their arrival, one transaction a step. Others pass a write that waits for a
/// trusted clock or to be read back, and what waits for a silent meter, which gets one in 2 s. A target that left its
/// last command without an answer gets at most half of the time while others want it. Owned by the bus's thread.
class CommandRunner {
 public:
  /// All outlive it. `polls` plan what is read of a meter, and take what it answers.
  CommandRunner(const BusParts& parts, CommandQueue& queue, BusConnection& connection, MeterWatch& meters,
                PollRunner& polls)
      : p_(parts), queue_(queue), connection_(connection), meters_(meters), polls_(polls) {}

  /// Takes what was given, and ends what has expired or is wanted no longer.
  void tidy();
  enum class Did { kNothing, kWork, kEnded };
  Did step(MonoTime now);
  /// Something could be done now.
  bool ready(MonoTime now) const;
  MonoTime next_wake(MonoTime now) const;
  std::int64_t done() const { return done_; }

 private:
  using Waiting = std::list<OpenCommand>;
  struct Running {
    std::unique_ptr<CommandJob> job;
    MonoTime again;  // when it goes on
  };
  MeterHealth* health(const OpenCommand& command);
  const MeterHealth* health(const OpenCommand& command) const;
  bool runnable(const OpenCommand& command, bool clock_trusted, MonoTime now) const;
  Waiting::iterator choose(MonoTime now);
  bool begin_next(MonoTime now);
  void judge(const OpenCommand& command, const CommandJob::Step& step, MonoTime began);
  void tell_of_clock(const OpenCommand& command);
  void end_expired();
  void ended(const OpenCommand& command);

  const BusParts& p_;
  CommandQueue& queue_;
  BusConnection& connection_;
  MeterWatch& meters_;
  PollRunner& polls_;
  Waiting waiting_;                                 // in the order of arrival
  UtcTime first_expiry_ = UtcTime::max();           // nothing of waiting_ expires before it
  std::map<std::uint64_t, MeterHealth> strangers_;  // by target, of units and addresses that are no meter's
  std::list<Running> running_;                      // one, and writes that wait to be read back
  MonoTime unanswered_until_{};                     // before it those go first whose targets answer
  std::int64_t done_ = 0;
  ChangeThrottle clock_waits_;
};

}  // namespace metergate
