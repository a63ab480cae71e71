#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/base/json.h"
#include "agent/config/options.h"

namespace metergate {

/// Sends one request to the running agent; the text of its answer. Errors: kOffline (none runs there), kTimeout,
/// kGarbled, and kInvalid (this user may not).
using SendRequest = std::function<Result<std::string>(const std::string& request)>;
SendRequest agent_at(const std::string& control);

/// The answer as JSON. Errors: those of SendRequest, each with what to do, and those of error_of.
Result<Json> request_json(const SendRequest& send, const std::string& request);

/// Members of an answer, which is another program's text. Errors: kGarbled where one is missing or of another kind.
Result<std::string> text_member(const Json& answer, const char* name);
Result<bool> boolean_member(const Json& answer, const char* name);
Result<std::int64_t> number_member(const Json& answer, const char* name);  ///< whole, from 0
/// The object lives as long as `answer`.
Result<const Json*> object_member(const Json& answer, const char* name);
/// What the answer says under `error`: kTimeout (busy: ask again later), kInvalid (refused), kGarbled; nothing when it
/// says none.
std::optional<Error> error_of(const Json& answer);

}  // namespace metergate
