#include "agent/admin/control_handlers.h"

#include <memory>
#include <mutex>

#include "agent/admin/store_pages.h"
#include "agent/base/text.h"
#include "agent/config/bus_description.h"
#include "agent/protocol/command.h"

namespace metergate {

namespace {

using Answer = std::variant<std::string, ControlServer::Later>;

std::string text_of(const Json& question, std::string_view name) {
  const Json* member = question.find(name);
  return member ? member->as_text().value_or("") : "";
}

Answer on_bus(const LocalParts& parts, const Json& question, const std::function<Answer(BusPause&)>& body) {
  const std::string bus = text_of(question, "bus");
  const auto pause = parts.pauses.find(bus);
  if (pause != parts.pauses.end()) return body(*pause->second);
  std::vector<std::string> names;
  for (const auto& [name, known] : parts.pauses) names.push_back(name);
  return error_answer("no_such_bus", "the agent has no bus '" + bus + "'" + hint(bus, names));
}

Answer pause(BusPause& pause, const std::string& bus, const Json& question) {
  const Json* time = question.find("for");
  const auto length =
      time ? parse_duration(time->as_text().value_or("?"), kShortestPause, kLongestPause) : Result<Millis>(kUsualPause);
  if (!length) return error_answer("bad_value", "for: " + length.error().detail);
  const UtcTime until = pause.begin(*length);
  return ControlServer::Later([&pause, bus, until]() -> std::optional<std::string> {
    if (!pause.granted()) return std::nullopt;
    JsonWriter json;
    return json.begin_object().member("bus", bus).member("until", rfc3339(until)).end_object().take();
  });
}

std::string resume(BusPause& pause, const std::string& bus) {
  JsonWriter json;
  return json.begin_object().member("bus", bus).member("was_paused", pause.end()).end_object().take();
}

std::string buses(const LocalParts& parts) {
  JsonWriter json;
  json.begin_object().key("buses").begin_array();
  for (const BusConfig& bus : parts.site->buses) {
    json.begin_object().member("name", bus.spec.name).member("key", port_key(bus.spec.settings));
    json.member("port", describe_port(bus.spec.settings));
    const BusPause& pause = *parts.pauses.at(bus.spec.name);
    if (const auto lent = pause.lent()) json.member("paused_until", rfc3339(*lent));
    json.end_object();
  }
  return json.end_array().end_object().take();
}

/// The question as the command that it is.
std::string command_of(const Json& question) {
  JsonWriter json;
  json.begin_object().member("id", std::string("local")).member("op", std::string("read")).key("route");
  json.begin_object().member("bus", text_of(question, "bus"));
  const auto number = [&](const char* name) {
    const Json* member = question.find(name);
    json.member(name, member ? member->as_integer(0, 65'535) : std::nullopt);
  };
  number("unit");
  json.end_object().key("registers").begin_object().member("table", text_of(question, "table"));
  number("address");
  number("count");
  return json.end_object().end_object().take();
}

std::string answer_of(const CommandResult& result) {
  JsonWriter json;
  json.begin_object();
  if (result.registers) {
    json.key("registers").begin_array();
    for (const std::uint16_t word : *result.registers) json.number(word);
    json.end_array();
  } else {
    const Failure failure = result.error.value_or(Failure{"bus_down", "the bus gave no answer"});
    json.key("failure").begin_object().member("code", failure.code).member("message", failure.message).end_object();
  }
  return json.member("took_us", result.took.count()).end_object().take();
}

/// What the bus's thread leaves for the one who asked.
struct Outcome {
  std::mutex mutex;  // guards answer
  std::optional<std::string> answer;
};

Answer read(const LocalParts& parts, const Json& question) {
  const auto parsed = parse_command(command_of(question));
  if (const auto* bad = std::get_if<BadCommand>(&parsed)) return error_answer(bad->code, bad->message);
  OpenCommand open;
  open.command = *std::get_if<Command>(&parsed);
  auto plan = plan_command(*parts.site, open.command);
  if (const auto* failure = std::get_if<Failure>(&plan)) return error_answer(failure->code, failure->message);
  open.plan = std::move(*std::get_if<CommandPlan>(&plan));
  // A configured meter is asked as its polls ask it.
  for (const BusConfig& bus : parts.site->buses) {
    for (std::size_t i = 0; bus.spec.name == open.plan.bus && i < bus.meters.size(); ++i) {
      if (bus.meters[i].spec.unit == open.command.route->unit) open.plan.meter = i;
    }
  }
  const auto outcome = std::make_shared<Outcome>();
  open.local = [outcome, answered = parts.answered](const CommandResult& result) {
    {
      const std::lock_guard<std::mutex> hold(outcome->mutex);
      outcome->answer = answer_of(result);
    }
    answered();
  };
  const auto& give = parts.give.at(open.plan.bus);
  give(std::move(open));
  return ControlServer::Later([outcome]() {
    const std::lock_guard<std::mutex> hold(outcome->mutex);
    return outcome->answer;
  });
}

}  // namespace

ControlServer::Handlers local_handlers(const LocalParts& parts) {
  ControlServer::Handlers handlers;
  handlers["pause"] = [parts](const Json& question) {
    return on_bus(parts, question, [&](BusPause& of_bus) { return pause(of_bus, text_of(question, "bus"), question); });
  };
  handlers["resume"] = [parts](const Json& question) {
    return on_bus(parts, question,
                  [&](BusPause& of_bus) -> Answer { return resume(of_bus, text_of(question, "bus")); });
  };
  handlers["buses"] = [parts](const Json&) -> Answer { return buses(parts); };
  handlers["read"] = [parts](const Json& question) { return read(parts, question); };
  handlers["store"] = [parts](const Json& question) -> Answer {
    if (text_of(question, "what") != "where") return store_page(*parts.store, question);
    JsonWriter json;
    return json.begin_object().member("path", parts.store_path).end_object().take();
  };
  return handlers;
}

}  // namespace metergate
