#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// Sends one request (a line of JSON, without its line break) to the agent that listens at `path`; its answer without
/// the last line break, with all the lines that the first one promises. Blocks for at most `timeout`. Errors: kOffline
/// (nobody listens there), kInvalid (may not be opened by this user), kTimeout, kGarbled.
Result<std::string> request_at(const std::string& path, const std::string& request, Millis timeout, const Clock& clock);

}  // namespace metergate
