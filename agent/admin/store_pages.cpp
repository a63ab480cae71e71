#include "agent/admin/store_pages.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "agent/admin/control_server.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::array<std::pair<std::string_view, StorePageRequest::What>, 4> kKinds{
    {{"drops", StorePageRequest::What::kDrops},
     {"dead", StorePageRequest::What::kDeadLetters},
     {"commands", StorePageRequest::What::kCommands},
     {"records", StorePageRequest::What::kRecords}}};

std::string line_of(const DropEntry& drop) {
  JsonWriter json;
  json.begin_object().member("lane", lane_name(drop.lane)).member("epoch", drop.epoch);
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

/// False: it is there and no time.
bool read_time(const Json& request, const char* name, std::optional<UtcTime>& time) {
  const Json* member = request.find(name);
  if (!member) return true;
  time = member->is(Json::Kind::kText) ? parse_rfc3339(member->text) : std::nullopt;
  return time.has_value();
}

std::string records(StoreView& store, const StorePageRequest& request) {
  RecordSpan span;
  span.lane = request.lane;
  span.from = request.from.value_or(from_ms(0));
  span.to = request.to.value_or(from_ms(kMost));
  return text_of(store.records(span, request.after));
}

}  // namespace

Result<StorePageRequest> parse_store_request(const Json& request) {
  const Json *what = request.find("what"), *after = request.find("after"), *lane = request.find("lane");
  const auto* const kind = std::find_if(kKinds.begin(), kKinds.end(),
                                        [&](const auto& entry) { return what && what->as_text() == entry.first; });
  const auto key = after ? after->as_integer(0, kMost) : 0;
  if (kind == kKinds.end() || !key)
    return Error{Errc::kInvalid, "store needs what (drops, dead, commands or records) and after (a number)"};
  StorePageRequest page;
  page.what = kind->second;
  page.after = *key;
  const auto known = lane ? lane_of(lane->text) : Lane::kReadings;
  if (!known || !read_time(request, "from", page.from) || !read_time(request, "to", page.to))
    return Error{Errc::kInvalid, "records need lane (readings, results or events), from and to (RFC 3339 times)"};
  page.lane = *known;
  return page;
}

std::string store_request_json(const StorePageRequest& request) {
  const auto* const kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& entry) { return entry.second == request.what; });
  JsonWriter json;
  json.begin_object().member("ask", "store").member("what", kind->first);
  if (request.what == StorePageRequest::What::kRecords) json.member("lane", lane_name(request.lane));
  if (request.from) json.member("from", rfc3339(*request.from));
  if (request.to) json.member("to", rfc3339(*request.to));
  return json.member("after", request.after).end_object().take();
}

std::string store_page(StoreView& store, const StorePageRequest& request) {
  switch (request.what) {
    case StorePageRequest::What::kDrops:
      return text_of(store.drops(request.after));
    case StorePageRequest::What::kDeadLetters:
      return text_of(store.dead_letters(request.after));
    case StorePageRequest::What::kCommands:
      return text_of(store.commands(request.after));
    case StorePageRequest::What::kRecords:
      break;
  }
  return records(store, request);
}

}  // namespace metergate
