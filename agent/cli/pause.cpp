#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/agent_client.h"
#include "agent/cli/subcommands.h"

namespace metergate {

namespace {

/// The sentence for people. Errors: kGarbled (the answer does not say what was done).
Result<std::string> outcome(const std::string& bus, bool pausing, const Json& answer) {
  if (!pausing) {
    const auto was_paused = boolean_member(answer, "was_paused");
    if (!was_paused) return was_paused.error();
    return "bus " + bus + (*was_paused ? " is resumed\n" : " was not paused\n");
  }
  const auto until = text_member(answer, "until");
  if (!until) return until.error();
  return "bus " + bus + " is paused until " + *until + " and its port is free; 'metergate resume " + bus +
         "' gives it back sooner\n";
}

}  // namespace

int run_pause(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send) {
  const bool pausing = invocation.subcommand == Invocation::Subcommand::kPause;
  const std::string& bus = invocation.text;
  JsonWriter request;
  request.begin_object().member("ask", std::string(pausing ? "pause" : "resume")).member("bus", bus);
  if (pausing) request.member("for", format_duration(invocation.pause));
  const auto answer = request_json(send, request.end_object().take());
  const auto said = answer ? outcome(bus, pausing, *answer) : Result<std::string>(answer.error());
  if (!said) {
    err << "metergate: " << said.error().detail << "\n";
    return said.error().code == Errc::kInvalid ? kWrongFlags : kUnreachable;
  }
  out << *said << std::flush;
  return 0;
}

}  // namespace metergate
