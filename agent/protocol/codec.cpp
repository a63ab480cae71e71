#include "agent/protocol/codec.h"

#include <limits>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "drivers/bus_error.h"

namespace metergate {

namespace {

void write_stamp(JsonWriter& json, const Stamp& stamp) {
  json.member("at", rfc3339(stamp.at)).member("clock", std::string(stamp.synced ? "synced" : "unsynced"));
}

/// As two hex digits each.
std::string hex_of(const Words& bytes) {
  std::string text;
  for (const std::uint16_t byte : bytes) {
    for (const int shift : {4, 0}) text += "0123456789ABCDEF"[byte >> shift & 15];
  }
  return text;
}

void write_failure(JsonWriter& json, std::string_view name, const Failure& failure) {
  json.key(name).begin_object().member("code", failure.code).member("message", failure.message).end_object();
}

void write_values(JsonWriter& json, const std::vector<std::pair<std::string, Value>>& values) {
  json.key("values").begin_object();
  for (const auto& [point, value] : values) json.raw_member(point, value_json(value));
  json.end_object();
}

void write_errors(JsonWriter& json, const std::vector<std::pair<std::string, Failure>>& errors) {
  if (errors.empty()) return;
  json.key("errors").begin_object();
  for (const auto& [point, failure] : errors) write_failure(json, point, failure);
  json.end_object();
}

void write_numbers(JsonWriter& json, std::string_view name,
                   const std::array<std::optional<std::int64_t>, kLanes>& last) {
  json.key(name).begin_object();
  for (const Lane lane : kAllLanes) json.member(lane_name(lane), last[static_cast<std::size_t>(lane)]);
  json.end_object();
}

Draft draft_of(Lane lane, UtcTime at, std::string body) {
  Draft draft;
  draft.lane = lane;
  draft.at = at;
  draft.body = std::move(body);
  return draft;
}

const char* quality_of(const Reading& reading) {
  if (reading.error) return "bad";
  return reading.errors.empty() ? "good" : "partial";
}

}  // namespace

std::string value_json(const Value& value) {
  JsonWriter json;
  switch (value.form) {
    case Value::Form::kNull:
      json.null();
      break;
    case Value::Form::kNumber:
      json.raw_number(value.text);
      break;
    case Value::Form::kText:
      json.text(value.text);
      break;
  }
  return json.take();
}

Failure failure_of(const Error& error) {
  switch (error.code) {
    case Errc::kTimeout:
      return {"timeout", error.detail};
    case Errc::kCrc:
      return {"crc", error.detail};
    case Errc::kGarbled:
      return {"garbled", error.detail};
    case Errc::kException:
      return {exception_code(error.exception), error.detail};
    case Errc::kBusDown:
    case Errc::kLocked:
      return {"bus_down", error.detail};
    case Errc::kPaused:
      return {"bus_paused", error.detail};
    default:
      break;
  }
  // A value that could not be made of its registers: the detail begins with its code.
  return {error.detail.substr(0, error.detail.find_first_of(" :")), error.detail};
}

namespace {

/// One of several records of a reading; `parts` 0: the whole.
struct ReadingPart {
  std::string quality;
  std::size_t part = 0, parts = 0;
};

std::string reading_body(const Reading& r, const ReadingPart& which) {
  JsonWriter json;
  write_stamp(json, r.stamp);
  json.member("meter", r.meter).member("poll", r.poll);
  if (r.slot) json.member("slot", rfc3339(*r.slot));
  json.member("span_ms", r.span.count()).member("catalog", r.catalog);
  if (!r.serial.empty()) json.member("serial", r.serial);
  json.member("quality", which.quality);
  if (which.parts > 0) json.member("part", which.part).member("parts", which.parts);
  write_values(json, r.values);
  if (r.error) write_failure(json, "error", *r.error);
  write_errors(json, r.errors);
  if (!r.flags.empty()) {
    json.key("flags").begin_object();
    for (const auto& [point, flags] : r.flags) {
      json.key(point).begin_array();
      for (const std::string& flag : flags) json.text(flag);
      json.end_array();
    }
    json.end_object();
  }
  return json.take();
}

Draft reading_draft_of(const Reading& r, const ReadingPart& which, bool keep_high) {
  Draft draft = draft_of(Lane::kReadings, r.stamp.at, reading_body(r, which));
  draft.meter = r.meter;
  draft.keep_high = keep_high;
  return draft;
}

/// What a reading has beside its points.
Reading without_points(const Reading& reading) {
  Reading rest = reading;
  rest.values.clear();
  rest.errors.clear();
  rest.flags.clear();
  return rest;
}

/// Deals the points of a reading out to as many as are needed.
std::vector<Reading> split_by_points(const Reading& reading) {
  constexpr std::size_t kParts = 40;  // bytes of `part` and `parts`, and of the names of empty lists
  const Reading rest = without_points(reading);
  const std::size_t head = reading_body(rest, {quality_of(reading), 0, 0}).size() + kParts;
  std::vector<Reading> parts{rest};
  std::size_t bytes = head;
  const auto begin = [&](const Reading& point) {
    const std::size_t size = reading_body(point, {quality_of(reading), 0, 0}).size() + kParts - head + 1;
    if (bytes > head && bytes + size > kMaxRecordBody) {
      parts.push_back(rest);
      bytes = head;
    }
    bytes += size;
  };
  for (const auto& value : reading.values) {
    Reading point = rest;
    point.values = {value};
    for (const auto& flag : reading.flags) {
      if (flag.first == value.first) point.flags = {flag};
    }
    begin(point);
    parts.back().values.push_back(value);
    if (!point.flags.empty()) parts.back().flags.push_back(point.flags.front());
  }
  for (const auto& error : reading.errors) {
    Reading point = rest;
    point.errors = {error};
    begin(point);
    parts.back().errors.push_back(error);
  }
  return parts;
}

}  // namespace

Draft reading_draft(const Reading& r, bool keep_high) { return reading_draft_of(r, {quality_of(r), 0, 0}, keep_high); }

std::vector<Draft> reading_drafts(const Reading& r, bool keep_high) {
  std::vector<Draft> drafts{reading_draft(r, keep_high)};
  if (drafts.front().body.size() <= kMaxRecordBody) return drafts;
  drafts.clear();
  const std::vector<Reading> parts = split_by_points(r);
  for (const Reading& part : parts) {
    drafts.push_back(reading_draft_of(part, {quality_of(r), drafts.size() + 1, parts.size()}, keep_high));
  }
  return drafts;
}

namespace {
CommandResult too_large(const CommandResult& whole, std::size_t bytes) {
  CommandResult result = whole;
  result.values.clear();
  result.errors.clear();
  result.registers.reset();
  result.items.clear();
  result.more.clear();
  result.status = "failed";
  result.error = Failure{"overflow", "the result has " + std::to_string(bytes) + " bytes, and a record at most " +
                                         std::to_string(kMaxRecordBody) + "; ask for less at once"};
  return result;
}
}  // namespace

Draft result_draft(const CommandResult& r) {
  JsonWriter json;
  write_stamp(json, r.stamp);
  json.member("command", r.command).member("op", r.op);
  if (!r.meter.empty()) json.member("meter", r.meter);
  if (r.route) {
    json.key("route").begin_object().member("bus", r.route->bus);
    if (r.route->address.empty()) {
      json.member("unit", r.route->unit);
    } else {
      json.member("address", r.route->address);
    }
    json.end_object();
  }
  json.member("status", r.status);
  if (r.error) write_failure(json, "error", *r.error);
  if (r.read_back) write_failure(json, "readback", *r.read_back);
  if (!r.values.empty()) write_values(json, r.values);
  write_errors(json, r.errors);
  if (r.registers) {
    json.key("registers").begin_array();
    for (const std::uint16_t word : *r.registers) json.number(word);
    json.end_array();
  }
  if (!r.items.empty()) {
    json.key("items").begin_object();
    for (const auto& [item, bytes] : r.items) json.member(item, hex_of(bytes));
    json.end_object();
  }
  json.raw(r.more);
  json.member("received_at", rfc3339(r.received));
  if (r.started) json.member("started_at", rfc3339(*r.started));
  if (r.finished) json.member("finished_at", rfc3339(*r.finished));
  std::string body = json.take();
  if (body.size() > kMaxRecordBody) return result_draft(too_large(r, body.size()));
  Draft draft = draft_of(Lane::kResults, r.stamp.at, std::move(body));
  draft.meter = r.meter;
  return draft;
}

Draft event_draft(Stamp stamp, std::string_view name, const std::string& detail) {
  JsonWriter json;
  write_stamp(json, stamp);
  json.member("event", name).raw_member("detail", detail);
  return draft_of(Lane::kEvents, stamp.at, json.take());
}

std::string record_bytes(const std::string& gateway, const std::string& epoch, Lane lane, std::int64_t seq,
                         const std::string& body) {
  const std::string number = std::to_string(seq);
  return "{\"id\":\"" + gateway + "/" + epoch + "/" + lane_name(lane) + "/" + number + "\",\"seq\":" + number + "," +
         body + "}";
}

RecordFormat record_format(const std::string& gateway, const Clock& clock) {
  RecordFormat format;
  format.finish = [gateway](const std::string& epoch, Lane lane, std::int64_t seq, const std::string& body) {
    return record_bytes(gateway, epoch, lane, seq, body);
  };
  format.dropped = [&clock](const std::string& epoch, Lane lane, std::int64_t from_seq, std::int64_t to_seq,
                            std::int64_t count, UtcTime now) {
    JsonWriter json;
    json.begin_object().member("epoch", epoch).member("lane", std::string(lane_name(lane)));
    json.member("from_seq", from_seq).member("to_seq", to_seq).member("count", count).end_object();
    return event_draft(Stamp{now, clock.synced()}, "records_dropped", json.take());
  };
  format.lost = [&clock](std::int64_t count, const std::vector<std::string>& meters, UtcTime from, UtcTime to,
                         const std::string& why, UtcTime now) {
    JsonWriter json;
    json.begin_object().member("count", count).key("meters").begin_array();
    for (const std::string& meter : meters) json.text(meter);
    json.end_array().member("from", rfc3339(from)).member("to", rfc3339(to)).member("why", why).end_object();
    return event_draft(Stamp{now, clock.synced()}, "readings_lost", json.take());
  };
  format.refused = [&clock](std::int64_t count, const std::vector<std::string>& first_ids, UtcTime from, UtcTime to,
                            UtcTime now) {
    JsonWriter json;
    json.begin_object().member("count", count).member("from", rfc3339(from)).member("to", rfc3339(to));
    json.key("first_ids").begin_array();
    for (const std::string& id : first_ids) json.text(id);
    json.end_array().end_object();
    return event_draft(Stamp{now, clock.synced()}, "commands_refused", json.take());
  };
  return format;
}

std::string started_detail(const Opened& opened, const std::string& version, const std::string& config) {
  JsonWriter json;
  json.begin_object().member("version", version);
  if (!config.empty()) json.member("config", config);
  json.key("previous");
  if (opened.previous) {
    json.begin_object().member("epoch", opened.previous->epoch);
    write_numbers(json, "last", opened.previous->numbers.last);
    json.end_object();
  } else {
    json.null();
  }
  switch (opened.origin) {
    case StoreOrigin::kKept:
      json.member("store", std::string("kept"));
      break;
    case StoreOrigin::kNew:
      json.member("store", std::string("new"));
      break;
    case StoreOrigin::kReplaced:
      json.member("store", std::string("replaced")).member("aside", opened.quarantined).key("saved").begin_object();
      for (const Lane lane : kAllLanes) json.member(lane_name(lane), opened.saved[static_cast<std::size_t>(lane)]);
      json.end_object().member("commands", std::string(opened.commands_saved ? "saved" : "lost"));
      break;
  }
  return json.end_object().take();
}

Topics topics_of(const std::string& prefix, const std::string& gateway) {
  const std::string base = prefix + "/" + gateway + "/";
  Topics topics{base + "status", base + "catalog", base + "commands", base + "receipts", {}};
  for (const Lane lane : kAllLanes) topics.lanes[static_cast<std::size_t>(lane)] = base + lane_name(lane);
  return topics;
}

std::string status_payload(const StatusMessage& status) {
  JsonWriter json;
  json.begin_object()
      .member("gateway", status.gateway)
      .member("state", std::string(status.online ? "online" : "offline"));
  json.member("at", rfc3339(status.at)).member("since", rfc3339(status.since));
  json.member("version", status.version).member("epoch", status.epoch);
  if (!status.config.empty()) json.member("config", status.config);
  if (status.last) {
    json.key("last").begin_object();
    for (const Lane lane : kAllLanes) json.member(lane_name(lane), (*status.last)[static_cast<std::size_t>(lane)]);
    json.end_object();
  }
  return json.end_object().take();
}

std::optional<std::string> epoch_of_status(std::string_view payload) {
  const Result<Json> json = parse_json(payload);
  const Json* epoch = json ? json->find("epoch") : nullptr;
  return epoch != nullptr ? epoch->as_text() : std::nullopt;
}

std::optional<Receipt> parse_receipt(std::string_view payload) {
  const Result<Json> json = parse_json(payload);
  const Json* epoch = json ? json->find("epoch") : nullptr;
  const Json* name = json ? json->find("lane") : nullptr;
  const Json* number = json ? json->find("upto") : nullptr;
  if (epoch == nullptr || name == nullptr || number == nullptr || !epoch->as_text()) return std::nullopt;
  const auto lane = lane_of(name->as_text().value_or(""));
  const auto upto = number->as_integer(0, std::numeric_limits<std::int64_t>::max());
  if (!lane || !upto) return std::nullopt;
  return Receipt{*epoch->as_text(), *lane, *upto};
}

}  // namespace metergate
