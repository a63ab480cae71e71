#pragma once

#include <functional>
#include <string>

#include "agent/base/json.h"
#include "agent/config/options.h"

namespace metergate {

/// Sends one request to the running agent; the text of its answer. Errors: kOffline (none runs there), kTimeout,
/// kGarbled, and kInvalid (this user may not).
using SendRequest = std::function<Result<std::string>(const std::string& request)>;
SendRequest agent_at(const std::string& control);

/// The answer as JSON. Errors: those of SendRequest, each with what to do, and kInvalid for an answer that says
/// `error`.
Result<Json> request_json(const SendRequest& send, const std::string& request);

}  // namespace metergate
