#include "agent/uplink/link_report.h"

#include <algorithm>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"

namespace metergate {

namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;

void write_end(JsonWriter& json, const std::string& whose, UtcTime until, UtcTime now) {
  json.member(whose + "_until", rfc3339(until));
  json.member(whose + "_days", std::chrono::floor<Days>(until - now).count());
}

void write_tls(JsonWriter& json, const TlsFacts& tls, UtcTime now) {
  json.key("tls").begin_object().member("version", tls.version).member("peer", tls.peer);
  write_end(json, "peer", tls.peer_until, now);
  write_end(json, "authority", tls.authority_until, now);
  if (tls.own_until) write_end(json, "own", *tls.own_until, now);
  json.end_object();
}

}  // namespace

void note_subscriptions(LinkReport& link, const std::vector<std::string>& topics,
                        const std::vector<std::string>& refused) {
  link.subscriptions.clear();
  link.error.clear();
  std::string names;
  for (const std::string& topic : topics) {
    const bool granted = std::find(refused.begin(), refused.end(), topic) == refused.end();
    link.subscriptions.push_back({topic, granted});
    if (!granted) names += (names.empty() ? "" : ", ") + topic;
  }
  if (names.empty()) return;
  link.error = "the broker refuses the subscription of " + names + "; its access rules have to let this user read it";
}

void note_link(LinkReports& links, const LinkReport& link) {
  const auto same = std::find_if(links.begin(), links.end(), [&](const LinkReport& other) {
    return other.name == link.name && other.port == link.port && other.address == link.address;
  });
  if (same != links.end()) {
    *same = link;
    return;
  }
  if (links.size() >= kMostLinks) links.erase(links.begin());
  links.push_back(link);
}

std::string link_json(const LinkReport& link, const Moment& now) {
  JsonWriter json;
  json.begin_object().member("name", link.name).member("port", link.port);
  if (!link.address.empty()) json.member("address", link.address);
  json.member("ok", link.error.empty()).member("tcp", link.tcp);
  if (link.tcp_time) json.member("tcp_us", link.tcp_time->count());
  if (link.tls) write_tls(json, *link.tls, now.utc);
  if (link.session_present) json.member("session", std::string(*link.session_present ? "kept" : "new"));
  if (!link.subscriptions.empty()) {
    json.key("subscriptions").begin_object();
    for (const auto& [topic, granted] : link.subscriptions) {
      json.member(topic, std::string(granted ? "granted" : "refused"));
    }
    json.end_object();
  }
  if (link.round_trip) json.member("round_trip_us", link.round_trip->count());
  json.member("largest_message", link.largest).member("waiting", link.waiting);
  if (link.up_since)
    json.member("since", rfc3339(now.utc - std::chrono::duration_cast<Millis>(now.mono - *link.up_since)));
  if (!link.error.empty()) json.member("error", link.error);
  return json.end_object().take();
}

std::string links_json(const std::string& by, const std::string& client_id, const LinkReports& links,
                       const Moment& now) {
  JsonWriter json;
  json.begin_object().member("by", by).member("client_id", client_id).key("links").begin_array();
  for (const LinkReport& link : links) json.raw(link_json(link, now));
  return json.end_array().end_object().take();
}

}  // namespace metergate
