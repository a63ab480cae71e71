#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/agent_client.h"
#include "agent/cli/subcommands.h"

namespace metergate {

int run_pause(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send) {
  const bool pausing = invocation.subcommand == Invocation::Subcommand::kPause;
  const std::string& bus = invocation.text;
  JsonWriter request;
  request.begin_object().member("ask", std::string(pausing ? "pause" : "resume")).member("bus", bus);
  if (pausing) request.member("for", format_duration(invocation.pause));
  const auto answer = request_json(send, request.end_object().take());
  if (!answer) {
    err << "metergate: " << answer.error().detail << "\n";
    return answer.error().code == Errc::kInvalid ? kWrongFlags : kUnreachable;
  }
  if (pausing) {
    out << "bus " << bus << " is paused until " << answer->find("until")->text
        << " and its port is free; 'metergate resume " << bus << "' gives it back sooner\n";
  } else {
    out << "bus " << bus << (answer->find("was_paused")->boolean ? " is resumed\n" : " was not paused\n");
  }
  out << std::flush;
  return 0;
}

}  // namespace metergate
