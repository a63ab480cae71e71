#include "agent/cli/agent_socket.h"

#include "agent/admin/control.h"

namespace metergate {

namespace {
constexpr Millis kPatience{310'000};  // longer than the agent's own for the slowest of its answers
}

AskAgent agent_at(const std::string& control) {
  return [control](const std::string& question) {
    const SystemClock clock;
    return ask(control, question, kPatience, clock);
  };
}

Result<Json> ask_for(const AskAgent& ask, const std::string& question) {
  const auto text = ask(question);
  if (!text) return text.error();
  auto answer = parse_json(*text);
  if (!answer) return Error{Errc::kGarbled, "the agent's answer is no JSON: " + answer.error().detail};
  const Json* error = answer->find("error");
  if (!error) return answer;
  const Json* message = error->find("message");
  return Error{Errc::kInvalid, message ? message->text : "the agent refuses without a word"};
}

}  // namespace metergate
