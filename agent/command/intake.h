#pragma once

#include <functional>
#include <string>

#include "agent/command/parsed_commands.h"
#include "agent/config/site.h"
#include "agent/protocol/events.h"
#include "store/inbox.h"

namespace metergate {

/// A message on the commands topic, from its bytes to a durable row. Called on the connection's thread; blocks for the
/// commit.
class Intake {
 public:
  /// Filled by name; what is pointed to outlives the intake.
  struct Parts {
    const Site* site = nullptr;
    Inbox* inbox = nullptr;
    Events* events = nullptr;
    ParsedCommands* parsed = nullptr;  ///< where the dispatcher looks first
    const Clock* clock = nullptr;
    std::function<void(const std::string& bus)> admitted;  ///< a new open command, of no bus with ""; must not block
    std::function<void(const Row& result)> repeat;         ///< a known command came again: its result is wanted again
  };
  explicit Intake(Parts parts) : p_(std::move(parts)) {}

  /// True when the broker may forget the message: it is durable, or it can never be stored and was told. False: unknown
  /// whether it is durable, it must come again.
  bool take(const std::string& topic, const std::string& payload);

 private:
  bool unreadable(const std::string& topic, const std::string& payload, const BadCommand& bad);
  bool reject(const StoredCommand& stored, Draft verdict);
  bool admit(const StoredCommand& stored, std::optional<Draft> verdict, std::optional<ParsedCommands::Parsed> parsed);
  Parts p_;
};

}  // namespace metergate
