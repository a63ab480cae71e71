#include "agent/admin/store_pages.h"

#include <limits>

#include "agent/admin/control.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

std::string line_of(const DropEntry& drop) {
  JsonWriter json;
  json.begin_object().member("lane", std::string(lane_name(drop.lane))).member("epoch", drop.epoch);
  json.member("from_seq", drop.from_seq).member("to_seq", drop.to_seq);
  return json.member("count", drop.to_seq - drop.from_seq + 1).member("told", drop.told).end_object().take();
}

std::string line_of(const DeadEntry& dead) {
  JsonWriter json;
  json.begin_object().member("at", rfc3339(dead.at)).member("topic", dead.topic).member("why", dead.why);
  return json.member("payload", dead.payload).end_object().take();
}

std::string line_of(const CommandEntry& command) {
  const auto record = parse_json(command.result.empty() ? command.body : command.result);
  const auto text = [](const Json* json, const char* name) {
    const Json* member = json ? json->find(name) : nullptr;
    return member ? member->as_text() : std::nullopt;
  };
  const Json* top = record ? &*record : nullptr;
  const std::string open = command.started ? "started" : "open";
  JsonWriter json;
  json.begin_object().member("id", command.id).member("op", text(top, "op")).member("bus", command.bus);
  json.member("received_at", rfc3339(command.received));
  json.member("state", command.done ? text(top, "status").value_or("done") : open);
  const auto code = top ? text(top->find("error"), "code") : std::nullopt;
  if (code) json.member("code", *code);
  return json.end_object().take();
}

const std::string& line_of(const RecordEntry& record) { return record.bytes; }

template <class T>
std::string text_of(const Result<StorePage<T>>& page) {
  if (!page) return error_answer("store", page.error().detail);
  JsonWriter head;
  head.begin_object().member("lines", page->rows.size()).member("next", page->next);
  std::string text = head.end_object().take();
  for (const T& row : page->rows) text += "\n" + line_of(row);
  return text;
}

/// A time that is not given is `otherwise`; one that is none, nothing.
std::optional<UtcTime> time_of(const Json& question, const char* name, UtcTime otherwise) {
  const Json* time = question.find(name);
  if (!time) return otherwise;
  return time->is(Json::Kind::kText) ? parse_rfc3339(time->text) : std::nullopt;
}

std::string records(StoreView& store, const Json& question, std::int64_t after) {
  const Json* name = question.find("lane");
  const auto lane = name ? lane_of(name->text) : Lane::kReadings;
  const auto from = time_of(question, "from", from_ms(0));
  const auto to = time_of(question, "to", from_ms(std::numeric_limits<std::int64_t>::max()));
  if (!lane || !from || !to)
    return error_answer("bad_question", "records need lane (readings, results or events), from and to");
  return text_of(store.records({*lane, *from, *to}, after));
}

}  // namespace

std::string store_page(StoreView& store, const Json& question) {
  const Json* what = question.find("what");
  const Json* behind = question.find("after");
  const auto after = behind ? behind->as_integer(0, std::numeric_limits<std::int64_t>::max()) : 0;
  if (what && after) {
    if (what->text == "drops") return text_of(store.drops(*after));
    if (what->text == "dead") return text_of(store.dead_letters(*after));
    if (what->text == "commands") return text_of(store.commands(*after));
    if (what->text == "records") return records(store, question, *after);
  }
  return error_answer("bad_question",
                      "of the store can be asked what: drops, dead, commands or records, and after: a number");
}

}  // namespace metergate
