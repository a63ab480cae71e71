#pragma once

#include <optional>

#include "agent/bus/bus_parts.h"
#include "agent/bus/command_reading.h"
#include "agent/command/open_command.h"

namespace metergate {

/// One command on its bus, one transaction a step. A write goes onto the bus at most once, after the store has made
/// durable that it may have. Owned by the bus's thread.
class CommandJob {
 public:
  CommandJob(const BusParts& parts, OpenCommand command, bool one_try);

  /// Whether it waits as long as the clock is not trusted: a write, at most 5 min.
  static bool waits_for_clock(const OpenCommand& command, MonoTime now);
  const OpenCommand& command() const { return command_; }

  struct Step {
    bool done = false;
    MonoTime again{};                               ///< when to come back, if not done
    std::optional<bool> frame;                      ///< a transaction was made; whether the meter itself answered
    bool heard = false;                             ///< a valid frame came, be it a gateway's
    std::optional<Error> bus_error;                 ///< the port went down
    std::optional<std::pair<Block, Words>> answer;  ///< what a meter answered to a read
  };
  Step step(MonoTime now);
  /// Ends it without a transaction; a write that was sent as `unknown`.
  Step refuse(const Failure& failure);
  /// Ends it without a turn on the bus, before anything was done.
  void expire();

 private:
  Step read();
  Step write();
  Step verify(MonoTime now);
  void tell_password_refused(const Error& error);
  Step after_transaction(const Error* error) const;
  Step end(std::string status, std::optional<Failure> failure, Step step);
  Step end(std::string status, std::optional<Failure> failure);
  Step end_unverified(const Failure& read_back, Step step);
  bool expired() const { return p_.clock_rule.expired(command_.command.expires, *p_.clock); }
  const MeterConfig* meter() const { return command_.plan.meter ? &p_.config->meters[*command_.plan.meter] : nullptr; }
  Target target() const;
  int tries() const;

  const BusParts& p_;
  OpenCommand command_;
  bool one_try_;
  CommandResult result_;
  CommandReading reading_;
  std::optional<BlockReader> read_back_;
  int attempt_ = 0;
  enum class Phase { kStart, kReading, kVerifying } phase_ = Phase::kStart;
  std::optional<Failure> echo_failure_;  // of a write without a valid answer
  MonoTime verify_at_{};
};

}  // namespace metergate
