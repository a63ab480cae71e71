#pragma once

#include <string>

#include "agent/command/command_plan.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command_text.h"

namespace metergate {

/// A result with everything that repeats the command: id, op, meter or route. All pure.
CommandResult result_for(const Command& command, UtcTime received);
CommandResult result_for(const BadCommand& bad, UtcTime received);

/// The result of a command that was not executed, as it is stored.
Draft ending(CommandResult result, std::string status, Failure failure, const Clock& clock);

Failure expired_failure();

}  // namespace metergate
