#include "agent/command/command_result.h"

#include <utility>

namespace metergate {

namespace {

CommandResult blank(const std::string& id, std::string op, const std::string& meter, const std::optional<Route>& route,
                    UtcTime received) {
  CommandResult result;
  result.command = id;
  result.op = std::move(op);
  result.meter = meter;
  result.route = route;
  result.received = received;
  return result;
}

}  // namespace

CommandResult result_for(const Command& command, UtcTime received) {
  return blank(command.id, op_name(command.op), command.meter, command.route, received);
}

CommandResult result_for(const BadCommand& bad, UtcTime received) {
  return blank(bad.id, bad.op, bad.meter, bad.route, received);
}

Draft ending(CommandResult result, std::string status, Failure failure, const Clock& clock) {
  result.stamp = stamp_of(clock);
  result.status = std::move(status);
  result.error = std::move(failure);
  return result_draft(result);
}

Failure expired_failure() { return {"expired", "its turn came after expires_at"}; }

}  // namespace metergate
