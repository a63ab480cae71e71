#include "agent/admin/control_handlers.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>

#include "agent/admin/store_pages.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/config/bus_description.h"
#include "agent/protocol/command_text.h"

namespace metergate {

namespace {

using Answer = std::variant<std::string, ControlServer::Later>;

std::string text_of(const Json& request, std::string_view name) {
  const Json* member = request.find(name);
  return member ? member->as_text().value_or("") : "";
}

Answer on_bus(const ControlParts& parts, const Json& request, const std::function<Answer(BusPause&)>& body) {
  const std::string bus = text_of(request, "bus");
  const auto pause = parts.pauses.find(bus);
  if (pause != parts.pauses.end()) return body(*pause->second);
  std::vector<std::string> names;
  for (const auto& [name, known] : parts.pauses) names.push_back(name);
  return error_answer("no_such_bus", "the agent has no bus " + in_quotes(bus) + hint(bus, names));
}

Answer pause(BusPause& pause, const std::string& bus, const Json& request) {
  const Json* time = request.find("for");
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

std::string buses(const ControlParts& parts) {
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

/// A local read as the command that it is.
Result<Command> read_command(const Json& request) {
  Command command;
  command.id = "local";
  command.op = Command::Op::kRead;
  auto route = parse_route(request);
  if (!route) return route.error();
  command.route = std::move(*route);
  if (const Json* items = request.find("items")) {
    auto blocks = parse_items(*items);
    if (!blocks) return blocks.error();
    command.items = std::move(*blocks);
    return command;
  }
  auto registers = parse_registers(request);
  if (!registers) return registers.error();
  command.registers = *registers;
  return command;
}

std::string answer_of(const CommandResult& result) {
  JsonWriter json;
  json.begin_object();
  if (result.registers || !result.items.empty()) {
    json.key("registers").begin_array();
    for (const std::uint16_t word : result.registers ? *result.registers : result.items.front().second) {
      json.number(word);
    }
    json.end_array();
  } else {
    const Failure failure = result.error.value_or(Failure{"bus_down", "the bus gave no answer"});
    json.key("failure").begin_object().member("code", failure.code).member("message", failure.message).end_object();
  }
  return json.member("took_us", result.took.count()).end_object().take();
}

std::string broker(const ControlParts& parts) {
  const ForwarderState state = parts.forwarder();
  LinkReports links = state.links ? *state.links : LinkReports{};
  for (LinkReport& link : links) {
    if (!link.up_since) continue;
    link.round_trip = state.round_trip;
    link.largest = state.message_limit;
  }
  for (const Endpoint& node : parts.uplink->brokers) {
    const auto is_of = [&](const LinkReport& link) { return link.name == node.host && link.port == node.port; };
    if (std::any_of(links.begin(), links.end(), is_of)) continue;
    LinkReport untried;
    untried.name = node.host;
    untried.port = node.port;
    untried.error = "not tried since the agent's start";
    links.push_back(std::move(untried));
  }
  return links_json("agent", parts.uplink->client_id, links, moment_of(*parts.clock));
}

/// What the bus's thread leaves for the client that waits.
struct Outcome {
  std::mutex mutex;  // guards answer
  std::optional<std::string> answer;
};

Answer read(const ControlParts& parts, const Json& request) {
  auto command = read_command(request);
  if (!command) return error_answer("bad_request", command.error().detail);
  OpenCommand open;
  open.command = std::move(*command);
  auto plan = plan_command(*parts.site, open.command);
  if (const auto* failure = std::get_if<Failure>(&plan)) return error_answer(failure->code, failure->message);
  open.plan = std::move(*std::get_if<CommandPlan>(&plan));
  const std::string bus = open.plan.bus;
  open.arrived = parts.clock->mono();
  const auto outcome = std::make_shared<Outcome>();
  const std::weak_ptr<Outcome> wanted = outcome;  // until the client goes, and with it what would answer it
  LocalClient client;
  client.gone = [wanted] { return wanted.expired(); };
  client.answer = [wanted, answered = parts.answered](const CommandResult& result) {
    const auto waiting = wanted.lock();
    if (!waiting) return;
    {
      const std::lock_guard<std::mutex> hold(waiting->mutex);
      waiting->answer = answer_of(result);
    }
    answered();
  };
  open.local = std::move(client);
  if (!parts.give.at(bus)(std::move(open))) {
    return error_answer("busy", "bus " + bus + " has as many local requests as it takes; ask again later");
  }
  return ControlServer::Later([outcome]() {
    const std::lock_guard<std::mutex> hold(outcome->mutex);
    return outcome->answer;
  });
}

std::string trace(const FrameRing& frames, const Json& request) {
  const Json* after = request.find("after");
  const auto number = after ? after->as_integer(0, std::numeric_limits<std::int64_t>::max()) : std::nullopt;
  const std::vector<std::string> lines = frames.json_behind(number.value_or(0), FrameRing::kMostFrames);
  JsonWriter json;
  std::string answer = json.begin_object().member("lines", lines.size()).end_object().take();
  for (const std::string& line : lines) answer += "\n" + line;
  return answer;
}

}  // namespace

ControlServer::Handlers control_handlers(const ControlParts& parts) {
  ControlServer::Handlers handlers;
  handlers["pause"] = [parts](const Json& request) {
    return on_bus(parts, request, [&](BusPause& of_bus) { return pause(of_bus, text_of(request, "bus"), request); });
  };
  handlers["resume"] = [parts](const Json& request) {
    return on_bus(parts, request, [&](BusPause& of_bus) -> Answer { return resume(of_bus, text_of(request, "bus")); });
  };
  handlers["trace"] = [parts](const Json& request) {
    const std::string bus = text_of(request, "bus");
    return on_bus(parts, request, [&](BusPause&) -> Answer { return trace(*parts.frames.at(bus), request); });
  };
  handlers["buses"] = [parts](const Json&) -> Answer { return buses(parts); };
  handlers["broker"] = [parts](const Json&) -> Answer { return broker(parts); };
  handlers["read"] = [parts](const Json& request) { return read(parts, request); };
  handlers["store"] = [parts](const Json& request) -> Answer {
    if (text_of(request, "what") == "where") {
      JsonWriter json;
      return json.begin_object().member("path", parts.store_path).end_object().take();
    }
    const auto page = parse_store_request(request);
    if (!page) return error_answer("bad_request", page.error().detail);
    return store_page(*parts.store, *page);
  };
  return handlers;
}

}  // namespace metergate
