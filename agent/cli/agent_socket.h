#pragma once

#include <functional>
#include <string>

#include "agent/base/json.h"
#include "agent/config/options.h"

namespace metergate {

/// One question to the running agent, its answer's text. Errors: kOffline (none runs there), kTimeout, kGarbled, and
/// kInvalid (this user may not).
using AskAgent = std::function<Result<std::string>(const std::string& question)>;
AskAgent agent_at(const std::string& control);

/// The answer, where it is none that says `error`. Errors: those of AskAgent, each with what to do, and kInvalid for
/// what the agent refuses.
Result<Json> ask_for(const AskAgent& ask, const std::string& question);

}  // namespace metergate
