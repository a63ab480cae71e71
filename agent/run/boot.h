#pragma once

#include <variant>

#include "agent/config/options.h"
#include "agent/run/config_check.h"

namespace metergate {

/// The configuration of a `run` that begins. With --remote it counts the starts of a configuration on trial, and ends
/// the trial of one that cannot start: whatever came from afar, it never keeps the process from starting. One thread,
/// before the agent is made.
std::variant<Invocation, UsageError> boot(const CommandLine& command_line);

/// From now until end_guard() the process has to become ready: else the program starts again, which ends the trial.
/// Without a trial it does nothing.
void guard_start(const CommandLine& command_line, const RemoteOptions& options);
void end_guard();

/// The process could not become ready: ends the trial that it began with, if it did. True: start again.
bool give_up_trial(const RemoteOptions& options);

}  // namespace metergate
