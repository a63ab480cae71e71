#include "agent/questions.h"

#include "agent/base/text.h"
#include "agent/command.h"
#include "agent/store_pages.h"

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
  handlers["store"] = [parts](const Json& question) -> Answer {
    if (text_of(question, "what") != "where") return store_page(*parts.store, question);
    JsonWriter json;
    return json.begin_object().member("path", parts.store_path).end_object().take();
  };
  return handlers;
}

}  // namespace metergate
