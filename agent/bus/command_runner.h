#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "agent/bus/bus_connection.h"
#include "agent/bus/command_job.h"
#include "agent/bus/poll_runner.h"

namespace metergate {

/// The commands of one bus in the order of their arrival, one transaction a step. Two wait without holding up the
/// others: a write for a trusted clock, and one to a silent meter that was asked less than 2 s ago. Owned by the bus's
/// thread.
class CommandRunner {
 public:
  /// All outlive it. `polls` plan what is read of a meter, and take what it answers.
  CommandRunner(const BusParts& parts, BusConnection& connection, MeterWatch& meters, PollRunner& polls)
      : p_(parts), connection_(connection), meters_(meters), polls_(polls) {}

  void add(OpenCommand command) { waiting_.push_back(std::move(command)); }

  enum class Did { kNothing, kWork, kEnded };
  Did step(MonoTime now);
  /// Something could be done now.
  bool ready(MonoTime now) const;
  MonoTime next_wake(MonoTime now) const;

 private:
  bool runnable(const OpenCommand& command, MonoTime now) const;
  void choose(MonoTime now);

  const BusParts& p_;
  BusConnection& connection_;
  MeterWatch& meters_;
  PollRunner& polls_;
  std::deque<OpenCommand> waiting_;
  std::unique_ptr<CommandJob> job_;
  std::optional<std::size_t> meter_;  // of job_
  MonoTime again_{};                  // when job_ goes on
};

}  // namespace metergate
