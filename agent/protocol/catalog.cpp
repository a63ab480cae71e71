#include "agent/protocol/catalog.h"

#include <set>

#include "agent/base/hash.h"
#include "agent/base/json.h"
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
  json.member("bus", bus.spec.name).member("unit", meter.spec.unit).member("profile", meter.spec.profile);
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

std::string catalog_payload(const std::string& gateway, const std::string& epoch, UtcTime at,
                            const std::string& members) {
  JsonWriter json;
  json.begin_object().member("gateway", gateway).member("epoch", epoch).member("at", rfc3339(at)).raw(members);
  return json.end_object().take();
}

}  // namespace metergate
