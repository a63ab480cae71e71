#include "agent/cli/agent_client.h"

#include <limits>
#include <utility>

#include "agent/admin/control_client.h"

namespace metergate {

namespace {

constexpr Millis kPatience{310'000};  // longer than the agent takes for its slowest answer

Error missing(const std::string& kind, const char* name) {
  return {Errc::kGarbled, "the agent's answer has no " + kind + " '" + name + "'; is it of another version?"};
}

}  // namespace

SendRequest agent_at(const std::string& control) {
  return [control](const std::string& request) {
    const SystemClock clock;
    return request_at(control, request, kPatience, clock);
  };
}

Result<Json> request_json(const SendRequest& send, const std::string& request) {
  const auto text = send(request);
  if (!text) return text.error();
  auto answer = parse_json(*text);
  if (!answer) return Error{Errc::kGarbled, "the agent's answer is no JSON: " + answer.error().detail};
  if (auto error = error_of(*answer)) return std::move(*error);
  return answer;
}

Result<std::string> text_member(const Json& answer, const char* name) {
  const Json* member = answer.find(name);
  if (member && member->is(Json::Kind::kText)) return member->text;
  return missing("text", name);
}

Result<bool> boolean_member(const Json& answer, const char* name) {
  const Json* member = answer.find(name);
  if (member && member->is(Json::Kind::kBoolean)) return member->boolean;
  return missing("true or false", name);
}

Result<std::int64_t> number_member(const Json& answer, const char* name) {
  const Json* member = answer.find(name);
  const auto number = member ? member->as_integer(0, std::numeric_limits<std::int64_t>::max()) : std::nullopt;
  if (number) return *number;
  return missing("number", name);
}

Result<const Json*> object_member(const Json& answer, const char* name) {
  const Json* member = answer.find(name);
  if (member && member->is(Json::Kind::kObject)) return member;
  return missing("object", name);
}

std::optional<Error> error_of(const Json& answer) {
  const Json* error = answer.find("error");
  if (!error) return std::nullopt;
  const auto message = text_member(*error, "message");
  if (!message) return message.error();
  const auto code = text_member(*error, "code");
  return Error{code && *code == "busy" ? Errc::kTimeout : Errc::kInvalid, *message};
}

}  // namespace metergate
