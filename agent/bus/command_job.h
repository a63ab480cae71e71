#pragma once

#include <functional>
#include <optional>

#include "agent/bus/command_reading.h"
#include "agent/command/open_command.h"
#include "store/inbox.h"

namespace metergate {

/// One command on its bus, one transaction a step. A write goes onto the bus at most once, after the store has made
/// durable that it may have. Owned by the bus's thread.
class CommandJob {
 public:
  struct Parts {
    const BusConfig& config;
    Bus& bus;
    Inbox& inbox;
    const Clock& clock;
    ClockRule rule;
    std::function<bool()> writes_allowed;  ///< false while another gateway uses this id
    std::function<void()> before_stamp;
  };

  CommandJob(Parts parts, OpenCommand task, bool one_try);

  /// Whether it can be executed now or has to wait for a clock (writes, at most 5 min).
  static bool runnable(const OpenCommand& task, const Clock& clock, const ClockRule& rule, MonoTime now);

  struct Step {
    bool done = false;
    MonoTime again{};                               ///< when to come back, if not done
    std::optional<bool> frame;                      ///< a transaction was made; whether a valid frame came
    std::optional<Error> bus_error;                 ///< the port went down
    std::optional<std::pair<Block, Words>> answer;  ///< what a meter answered to a read
  };
  Step step(MonoTime now);
  /// Ends it without a transaction; a write that was sent as `unknown`.
  Step refuse(const Failure& failure);

 private:
  Step read(MonoTime now);
  Step write();
  Step verify(MonoTime now);
  Step end(std::string status, std::optional<Failure> failure, std::optional<bool> frame = std::nullopt);
  bool expired() const;
  const MeterConfig* meter() const { return task_.plan.meter ? &parts_.config.meters[*task_.plan.meter] : nullptr; }
  Target target() const;
  int tries() const;

  Parts parts_;
  OpenCommand task_;
  bool one_try_;
  CommandResult result_;
  CommandReading reading_;
  RegisterImage image_;         // of the read-back
  std::size_t next_block_ = 0;  // likewise
  int attempt_ = 0;
  enum class Phase { kStart, kReading, kVerifying } phase_ = Phase::kStart;
  std::optional<Failure> echo_failure_;  // of a write without a valid answer
  MonoTime verify_at_{};
};

}  // namespace metergate
