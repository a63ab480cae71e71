#include "agent/command/dispatcher.h"

#include <utility>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/command/command_result.h"

namespace metergate {

namespace {
constexpr Millis kStorePause{1000};
constexpr std::size_t kPage = 64;
const std::string kNoBus;
}  // namespace

MonoTime Dispatcher::step(MonoTime now) {
  bool well = end_orphans();
  well = serve(kNoBus, now) && well;
  for (const auto& [name, sink] : p_.sinks) well = serve(name, now) && well;
  return well ? now + std::chrono::seconds(60) : now + kStorePause;
}

/// Open commands of buses that the configuration no longer has.
bool Dispatcher::end_orphans() {
  if (orphans_ended_) return true;
  const auto names = p_.inbox->open_buses();
  if (!names) return false;
  for (const std::string& name : *names) {
    if (name.empty() || p_.sinks.count(name) > 0) continue;
    if (!serve(name, MonoTime{})) return false;
  }
  orphans_ended_ = true;
  return true;
}

bool Dispatcher::serve(const std::string& bus, MonoTime now) {
  const auto sink = p_.sinks.find(bus);
  for (;;) {
    const std::size_t room = sink == p_.sinks.end() ? kPage : sink->second->room();
    if (room == 0) return true;
    std::int64_t& handed = handed_[bus];
    const auto open = p_.inbox->open_commands(bus, handed, room);
    if (!open) return false;
    if (open->empty()) return true;
    std::vector<OpenCommand> out;
    for (const StoredCommand& stored : *open) {
      handed = stored.key;
      open_or_end(stored, bus, now, out);
    }
    if (!out.empty()) sink->second->give(std::move(out));
  }
}

/// Adds to `out` what the bus has to execute.
void Dispatcher::open_or_end(const StoredCommand& stored, const std::string& bus, MonoTime now,
                             std::vector<OpenCommand>& out) {
  auto parsed = parse_command(stored.body);
  const Command* command = std::get_if<Command>(&parsed);
  if (command == nullptr) {  // understood by another release
    const BadCommand& bad = *std::get_if<BadCommand>(&parsed);
    CommandResult result = result_for(bad, stored.received);
    result.command = stored.id;
    return reject(stored, result, {"bad_command", bad.message});
  }
  const CommandResult blank = result_for(*command, stored.received);
  auto plan = plan_command(*p_.site, *command);
  const auto* ready = std::get_if<CommandPlan>(&plan);
  if (stored.write && stored.started) {
    CommandResult result = blank;
    result.stamp = stamp_of(*p_.clock);
    result.status = "unknown";
    result.error = Failure{"interrupted", "the gateway stopped after the write may have reached the meter"};
    p_.inbox->complete(stored.key, result_draft(result));
  } else if (ready == nullptr) {
    reject(stored, blank, *std::get_if<Failure>(&plan));
  } else if (ready->bus.empty()) {
    answer(stored, *command);
  } else if (ready->bus != bus) {
    reject(stored, blank, {"no_such_meter", "the meter was moved to another bus after the command came"});
  } else {
    out.push_back({stored, *command, *ready, now, {}});
  }
}

void Dispatcher::reject(const StoredCommand& stored, CommandResult result, Failure failure) {
  p_.inbox->complete(stored.key, rejection(std::move(result), std::move(failure), *p_.clock));
}

void Dispatcher::answer(const StoredCommand& stored, const Command& command) {
  CommandResult result = result_for(command, stored.received);
  result.stamp = stamp_of(*p_.clock);
  result.started = result.finished = result.stamp.at;
  result.status = "done";
  const bool expired = command.expires && result.stamp.at >= *command.expires;
  if (expired) {
    result.status = "expired";
    result.error = expired_failure();
  } else if (command.op == Command::Op::kStatus) {
    result.more = p_.status();
  } else if (command.op == Command::Op::kPause || command.op == Command::Op::kResume) {
    JsonWriter json;
    json.member("bus", command.bus);
    Pausable& pause = *p_.pauses.at(command.bus);
    if (command.op == Command::Op::kResume) {
      pause.end();
    } else {
      json.member("until", rfc3339(pause.begin(command.time.value_or(kUsualPause))));
    }
    result.more = json.take();
  } else {
    const auto members = p_.catalog(command.catalog);
    if (members && *members) {
      result.more = "\"content\":{" + **members + "}";
    } else {
      result.status = "rejected";
      result.error = Failure{"bad_value", "the store knows no catalog '" + command.catalog + "'"};
    }
  }
  p_.inbox->complete(stored.key, result_draft(result));
}

}  // namespace metergate
