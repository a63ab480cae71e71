#include "agent/config/remote_state.h"

#include <limits>

#include "agent/base/json.h"

namespace metergate {

namespace {

std::string text_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr ? member->as_text().value_or("") : "";
}

std::int64_t number_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr ? member->as_integer(0, std::numeric_limits<std::int64_t>::max()).value_or(0) : 0;
}

void write_trial(JsonWriter& json, const RemoteTrial& trial) {
  json.key("trial").begin_object().member("version", trial.version).member("command", trial.command);
  json.member("from", trial.from).member("to", trial.to).member("within_ms", trial.within.count());
  json.member("spent_ms", trial.spent.count()).member("starts", trial.starts);
  json.member("phase", static_cast<int>(trial.phase)).end_object();
}

RemoteTrial trial_of(const Json& json) {
  RemoteTrial trial;
  trial.version = text_of(json, "version");
  trial.command = text_of(json, "command");
  trial.from = text_of(json, "from");
  trial.to = text_of(json, "to");
  trial.within = Millis{number_of(json, "within_ms")};
  trial.spent = Millis{number_of(json, "spent_ms")};
  trial.starts = static_cast<int>(number_of(json, "starts"));
  trial.phase = static_cast<RemoteTrial::Phase>(number_of(json, "phase") % 3);
  return trial;
}

}  // namespace

std::string remote_state_text(const RemoteState& state) {
  JsonWriter json;
  json.begin_object().member("format", 1).member("confirmed", state.confirmed).member("versions", state.versions);
  if (state.trial) write_trial(json, *state.trial);
  json.key("outcomes").begin_array();
  for (const RemoteOutcome& outcome : state.outcomes) {
    json.begin_object().member("command", outcome.command).member("how", outcome.how);
    json.member("from", outcome.from).member("to", outcome.to).end_object();
  }
  return json.end_array().end_object().take() + "\n";
}

Result<RemoteState> parse_remote_state(std::string_view text) {
  const auto json = parse_json(text);
  if (!json || number_of(*json, "format") != 1) return Error{Errc::kCorrupt, "the state of --remote is damaged"};
  RemoteState state;
  state.confirmed = text_of(*json, "confirmed");
  state.versions = number_of(*json, "versions");
  if (const Json* trial = json->find("trial")) state.trial = trial_of(*trial);
  if (const Json* outcomes = json->find("outcomes")) {
    for (const Json& item : outcomes->items) {
      state.outcomes.push_back(
          {text_of(item, "command"), text_of(item, "how"), text_of(item, "from"), text_of(item, "to")});
    }
  }
  return state;
}

}  // namespace metergate
