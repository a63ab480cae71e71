#include "agent/command/intake.h"

#include <utility>

#include "agent/base/json.h"
#include "agent/command/command_result.h"

namespace metergate {

namespace {
constexpr std::size_t kFirstBytes = 64;
}  // namespace

bool Intake::take(const std::string& topic, const std::string& payload) {
  auto parsed = parse_command(payload);
  StoredCommand stored;
  stored.received = p_.clock->utc();
  if (const auto* bad = std::get_if<BadCommand>(&parsed)) {
    if (bad->id.empty()) return unreadable(topic, payload, *bad);
    stored.body = payload;
    stored.id = bad->id;
    return reject(stored, ending(result_for(*bad, stored.received), "rejected", {bad->code, bad->message}, *p_.clock));
  }
  Command& command = *std::get_if<Command>(&parsed);
  stored.body = payload;
  stored.id = command.id;
  stored.write = command.op == Command::Op::kWrite;
  const CommandResult blank = result_for(command, stored.received);
  auto plan = plan_command(*p_.site, command);
  if (const auto* failure = std::get_if<Failure>(&plan))
    return reject(stored, ending(blank, "rejected", *failure, *p_.clock));
  auto& ready = *std::get_if<CommandPlan>(&plan);
  stored.bus = ready.bus;
  if (p_.inbox->only_reserve_left()) {
    const Failure full{"store_full",
                       "only the reserve for results and events is left; send it again later under a new id"};
    return reject(stored, ending(blank, "rejected", full, *p_.clock));
  }
  return admit(stored, std::nullopt, ParsedCommands::Parsed{std::move(command), std::move(ready)});
}

bool Intake::reject(const StoredCommand& stored, Draft verdict) {
  return admit(stored, std::move(verdict), std::nullopt);
}

/// With a verdict, or with what was parsed: then the dispatcher is told.
bool Intake::admit(const StoredCommand& stored, std::optional<Draft> verdict,
                   std::optional<ParsedCommands::Parsed> parsed) {
  const Result<Admission> admission = p_.inbox->admit(stored, std::move(verdict));
  if (!admission) return admission.error().code == Errc::kFull;  // counted and told by the store
  if (admission->known == Known::kDone && admission->result) p_.repeat(*admission->result);
  if (admission->known == Known::kNew && parsed) {
    p_.parsed->put(admission->key, std::move(*parsed));
    p_.admitted(stored.bus);
  }
  return true;
}

bool Intake::unreadable(const std::string& topic, const std::string& payload, const BadCommand& bad) {
  p_.inbox->dead_letter(topic, bad.message, payload, p_.clock->utc());
  JsonWriter json;
  json.member("why", bad.message).member("bytes", payload.size()).member("first", payload.substr(0, kFirstBytes));
  p_.events->tell("command_unreadable", topic, json.take());
  return true;
}

}  // namespace metergate
