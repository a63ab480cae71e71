#pragma once

#include "agent/command/command_plan.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command_text.h"

namespace metergate {

/// A result with everything that repeats the command: id, op, meter or route. All pure.
CommandResult result_for(const Command& command, UtcTime received);
CommandResult result_for(const BadCommand& bad, UtcTime received);

/// `result` without an execution, as it is stored: rejected for `failure`.
Draft rejection(CommandResult result, Failure failure, const Clock& clock);

Failure expired_failure();

}  // namespace metergate
