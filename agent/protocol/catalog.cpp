#include "agent/protocol/catalog.h"

#include <set>
#include <string_view>

#include "agent/base/hash.h"
#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

const char* kind_name(PointKind kind) {
  switch (kind) {
    case PointKind::kCounter:
      return "counter";
    case PointKind::kState:
      return "state";
    case PointKind::kText:
      return "text";
    case PointKind::kGauge:
      break;
  }
  return "gauge";
}

void write_profile(JsonWriter& json, const Profile& profile) {
  json.key(profile.name).begin_object().member("digest", profile.digest).key("points").begin_object();
  for (const Point& point : profile.points) {
    json.key(point.name).begin_object();
    if (!point.unit.empty()) json.member("unit", point.unit);
    if (!point.obis.empty()) json.member("obis", point.obis);
    json.member("kind", std::string(kind_name(point.kind))).member("writable", point.write.has_value()).end_object();
  }
  json.end_object().end_object();
}

void write_meter(JsonWriter& json, const BusConfig& bus, std::size_t index) {
  const MeterConfig& meter = bus.meters[index];
  const auto optional_text = [&json](const char* name, const std::string& text) {
    if (!text.empty()) json.member(name, text);
  };
  json.begin_object().member("id", meter.spec.id);
  optional_text("label", meter.spec.label);
  json.member("bus", bus.spec.name);
  write_place(json, meter.spec);
  json.member("profile", meter.spec.profile);
  optional_text("serial", meter.spec.serial);
  optional_text("ct", meter.spec.ct);
  optional_text("pt", meter.spec.pt);
  json.key("polls").begin_array();
  for (const PollConfig& poll : bus.polls) {
    if (poll.meter != index) continue;
    json.begin_object()
        .member("name", poll.name)
        .member("every", format_duration(poll.every))
        .key("points")
        .begin_array();
    for (const Point* point : poll.points) json.text(point->name);
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

}  // namespace

void write_place(JsonWriter& json, const MeterSpec& meter) {
  if (meter.address.empty()) {
    json.member("unit", meter.unit);
  } else {
    json.member("address", meter.address);
  }
}

Catalog make_catalog(const std::string& gateway, const std::string& version, const Site& site) {
  JsonWriter json;
  json.key("profiles").begin_object();
  std::set<std::string> written;
  for (const BusConfig& bus : site.buses) {
    for (const MeterConfig& meter : bus.meters) {
      if (written.insert(meter.profile->name).second) write_profile(json, *meter.profile);
    }
  }
  json.end_object().key("meters").begin_array();
  for (const BusConfig& bus : site.buses) {
    for (std::size_t i = 0; i < bus.meters.size(); ++i) write_meter(json, bus, i);
  }
  json.end_array();
  const std::string content = json.take();
  Catalog catalog;
  catalog.hash = fnv1a_hex(gateway + version + content);
  json.member("version", version).member("catalog", catalog.hash).raw(content);
  catalog.members = json.take();
  return catalog;
}

namespace {

/// What stands between the commas of an object's or array's inside.
std::vector<std::string_view> elements(std::string_view inside) {
  std::vector<std::string_view> found;
  std::size_t from = 0;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != ',' || depth > 0) continue;
    found.push_back(inside.substr(from, i - from));
    from = i + 1;
  }
  if (from < inside.size()) found.push_back(inside.substr(from));
  return found;
}

/// A profile or meter that may be split: head, some of the elements, tail.
struct Splittable {
  std::string_view head, tail;
  std::vector<std::string_view> inside;
};

/// `list`: the member that is split, such as `,"points":{`. The tail is as long as the brackets that are open then.
Splittable splittable(std::string_view element, std::string_view list, std::size_t tail) {
  const std::size_t at = element.find(list);
  if (at == std::string_view::npos) return {element, {}, {}};
  const std::size_t begin = at + list.size();
  const std::size_t end = element.size() - tail;
  return {element.substr(0, begin), element.substr(end), elements(element.substr(begin, end - begin))};
}

/// The profiles and meters of one message, as they stand between their brackets.
struct Part {
  std::string profiles, meters;
  std::size_t size() const { return profiles.size() + meters.size(); }
};

/// Fills messages one after the other.
class Splitter {
 public:
  explicit Splitter(std::size_t room) : room_(room) { parts_.emplace_back(); }

  void add(std::string Part::*list, std::string_view whole, const Splittable& item) {
    if (!fits(whole.size()) && whole.size() < room_) parts_.emplace_back();
    if (fits(whole.size())) return append(list, std::string(whole));
    std::string piece;
    for (const std::string_view element : item.inside) {
      const std::size_t size = piece.empty() ? item.head.size() : piece.size();
      if (!piece.empty() && !fits(size + 1 + element.size() + item.tail.size())) {
        append(list, piece.append(item.tail));
        parts_.emplace_back();
        piece.clear();
      }
      piece.append(piece.empty() ? item.head : std::string_view(",")).append(element);
    }
    if (!piece.empty()) append(list, piece.append(item.tail));
  }
  const std::vector<Part>& parts() const { return parts_; }

 private:
  bool fits(std::size_t bytes) const { return parts_.back().size() + 1 + bytes <= room_; }
  void append(std::string Part::*list, const std::string& text) {
    std::string& to = parts_.back().*list;
    to += (to.empty() ? "" : ",") + text;
  }
  std::size_t room_;
  std::vector<Part> parts_;
};

/// `"name":{...}` without name and brackets; nothing if it is another member.
std::string_view inside_of(std::string_view member, std::string_view name) {
  const std::size_t head = name.size() + 4;  // two quotes, colon, bracket
  if (member.size() <= head || member.substr(1, name.size()) != name) return {};
  return member.substr(head, member.size() - head - 1);
}

/// `head`: an object that is open, with members that each part repeats and a comma, or none.
std::vector<std::string> parts_of(const std::string& head, const std::string& members, std::size_t max_bytes) {
  if (head.size() + members.size() + 1 <= max_bytes) return {head + members + "}"};

  std::string others = head;
  std::string_view profiles;
  std::string_view meters;
  for (const std::string_view member : elements(members)) {
    if (const auto inside = inside_of(member, "profiles"); !inside.empty()) {
      profiles = inside;
    } else if (const auto list = inside_of(member, "meters"); !list.empty()) {
      meters = list;
    } else {
      others.append(member).append(",");
    }
  }
  constexpr std::size_t kRest = 100;  // part, parts and the brackets
  Splitter splitter(max_bytes - kRest - others.size());
  for (const std::string_view profile : elements(profiles)) {
    splitter.add(&Part::profiles, profile, splittable(profile, ",\"points\":{", 2));
  }
  for (const std::string_view meter : elements(meters)) {
    splitter.add(&Part::meters, meter, splittable(meter, ",\"polls\":[", 2));
  }
  std::vector<std::string> payloads;
  for (const Part& part : splitter.parts()) {
    payloads.push_back(others + "\"part\":" + std::to_string(payloads.size() + 1) +
                       ",\"parts\":" + std::to_string(splitter.parts().size()) + ",\"profiles\":{" + part.profiles +
                       "},\"meters\":[" + part.meters + "]}");
  }
  return payloads;
}

}  // namespace

std::vector<std::string> catalog_payloads(const std::string& gateway, const std::string& epoch, UtcTime at,
                                          const std::string& members) {
  JsonWriter json;
  json.begin_object().member("gateway", gateway).member("epoch", epoch).member("at", rfc3339(at));
  return parts_of(json.take() + ",", members, kMaxMessageBytes);
}

std::vector<std::string> catalog_pages(const std::string& members, std::size_t max_bytes) {
  return parts_of("{", members, max_bytes);
}

}  // namespace metergate
