#include "agent/cli/agent_client.h"

#include "agent/admin/control_client.h"

namespace metergate {

namespace {
constexpr Millis kPatience{310'000};  // longer than the agent takes for its slowest answer
}

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
  const Json* error = answer->find("error");
  if (!error) return answer;
  const Json* message = error->find("message");
  return Error{Errc::kInvalid, message ? message->text : "the agent refuses and gives no reason"};
}

}  // namespace metergate
