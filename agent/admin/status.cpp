#include "agent/admin/status.h"

#include <algorithm>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "drivers/bus_error.h"

namespace metergate {

namespace {

constexpr std::size_t kRefusedOnPage = 500;
constexpr std::size_t kRefusedPoints = 2'000;  // of all meters: the answer of the local socket has a bound

/// `left`: how many may be named still.
void write_refused(JsonWriter& json, const MeterState& meter, std::size_t& left) {
  if (meter.unsupported.empty()) return;
  const std::size_t named = std::min(left, meter.unsupported.size());
  left -= named;
  json.key("refused").begin_object();
  for (std::size_t i = 0; i < named; ++i) {
    const auto& [point, exception] = meter.unsupported[i];
    json.member(point, exception_code(exception));
  }
  json.end_object();
  if (named < meter.unsupported.size()) json.member("refused_more", meter.unsupported.size() - named);
}

void write_meter(JsonWriter& json, const MeterState& meter, std::size_t& refused_left) {
  json.begin_object().member("id", meter.id).member("silent", meter.silent);
  if (meter.last_good != UtcTime{}) json.member("last_good", rfc3339(meter.last_good));
  json.member("good", meter.good).member("partial", meter.partial).member("bad", meter.bad);
  json.member("slots_missed", meter.slots_missed);
  if (const auto& times = meter.turnaround) {
    json.member("turnaround_us", times->usual.count()).member("slowest_us", times->slowest.count());
    json.member("deadline_ms", times->deadline.count());
  }
  if (!meter.serial.empty()) json.member("serial", meter.serial);
  write_refused(json, meter, refused_left);
  json.end_object();
}

void write_bus(JsonWriter& json, const BusState& bus, std::size_t& refused_left) {
  json.begin_object().member("name", bus.name).member("port", bus.port).member("up", bus.up);
  if (!bus.up) json.member("why_down", bus.why_down);
  json.member("overloaded", bus.overloaded).member("second_master", bus.second_master);
  json.member("slots_wanted", bus.slots_wanted).member("slots_kept", bus.slots_kept);
  if (bus.paused_until) json.member("paused_until", rfc3339(*bus.paused_until));
  const BusCounters& c = bus.counters;
  json.member("requests", c.requests).member("answers", c.answers).member("timeouts", c.timeouts).member("crc", c.crc);
  json.member("garbled", c.garbled).member("exceptions", c.exceptions).member("bus_down", c.bus_down);
  json.member("guards", c.guards).member("late_bytes", c.late_bytes);
  json.member("late_frames", c.late_frames).member("foreign_frames", c.foreign_frames).member("opened", c.opened);
  json.member("busy_ms", c.busy_us / 1000);
  json.member("commands_done", bus.commands_done).member("commands_waiting", bus.commands_waiting);
  json.key("meters").begin_array();
  for (const MeterState& meter : bus.meters) write_meter(json, meter, refused_left);
  json.end_array().end_object();
}

void write_store(JsonWriter& json, const StoreState& store) {
  json.key("store").begin_object();
  for (const Lane lane : kAllLanes) {
    const LaneState& state = store.lanes[static_cast<std::size_t>(lane)];
    json.key(lane_name(lane)).begin_object().member("waiting", state.waiting);
    if (state.waiting > 0) json.member("oldest", rfc3339(from_ms(state.oldest_ms)));
    json.member("last", state.last_seq).member("appended", state.appended).member("delivered", state.delivered);
    json.member("dropped", state.dropped).end_object();
  }
  json.member("open_commands", store.open_commands).member("known_commands", store.known_commands);
  json.member("dead_letters", store.dead_letters).member("bytes_used", store.bytes_used);
  json.member("bytes_max", store.bytes_max)
      .member("commits", store.commits)
      .member("commit_us_last", store.commit_us_last);
  json.member("commit_us_max", store.commit_us_max).member("failed_commits", store.failed_commits);
  json.member("reopened", store.reopened).member("readings_lost", store.readings_lost);
  json.member("commands_without_room", store.commands_without_room).member("failing", store.failing).end_object();
}

void write_uplink(JsonWriter& json, const ForwarderState& uplink, MonoTime now) {
  const auto ms = [](Nanos d) { return std::chrono::duration_cast<Millis>(d).count(); };
  json.key("uplink").begin_object().member("connected", uplink.connected);
  if (uplink.connected) json.member("connected_ms", ms(now - uplink.since));
  json.member("connects", uplink.session.connects).member("losses", uplink.session.losses);
  json.member("sessions_lost", uplink.session.sessions_lost).member("in_flight", uplink.in_flight);
  json.member("oldest_unacked_ms", ms(uplink.oldest_unacked)).member("window_bytes", uplink.window_bytes);
  json.member("repeats", uplink.republished)
      .member("ignored_messages", uplink.ignored_messages)
      .member("resent", uplink.resent)
      .key("receipts")
      .begin_object()
      .member("counted", uplink.receipts.counted)
      .member("nothing_new", uplink.receipts.nothing_new)
      .member("ignored", uplink.receipts.ignored)
      .member("malformed", uplink.receipts.malformed)
      .end_object()
      .key("lanes")
      .begin_object();
  for (const Lane lane : kAllLanes) {
    const SourceState& source = uplink.sources[static_cast<std::size_t>(lane)];
    json.key(lane_name(lane)).begin_object().member("messages", source.messages).member("records", source.records);
    json.member("acknowledged", source.acked).member("refused", source.refused).end_object();
  }
  json.end_object().end_object();
}

void write_replay(JsonWriter& json, const std::optional<ReplayState>& replay) {
  if (!replay) return;
  json.key("replay").begin_object().member("command", replay->command).member("sent", replay->sent);
  if (replay->seq > 0) json.member("epoch", replay->epoch).member("seq", replay->seq);
  json.member("waiting", replay->waiting).end_object();
}

}  // namespace

namespace {

std::string json_of(const Snapshot& s, std::size_t refused_left) {
  JsonWriter json;
  json.member("gateway", s.gateway).member("version", s.version).member("epoch", s.epoch).member("at", rfc3339(s.at));
  if (!s.config.empty()) json.member("config", s.config);
  json.member("since", rfc3339(s.since)).member("clock", std::string(s.clock_synced ? "synced" : "unsynced"));
  json.key("buses").begin_array();
  for (const BusState& bus : s.buses) write_bus(json, bus, refused_left);
  json.end_array();
  write_store(json, s.store);
  write_uplink(json, s.uplink, s.now);
  write_replay(json, s.replay);
  return json.take();
}

std::size_t bytes_of(const BusState& bus) {
  JsonWriter json;
  std::size_t refused_left = kRefusedOnPage;
  write_bus(json, bus, refused_left);
  return json.take().size() + 1;
}

std::size_t bytes_of(const MeterState& meter) {
  JsonWriter json;
  std::size_t refused_left = kRefusedOnPage;
  write_meter(json, meter, refused_left);
  return json.take().size() + 1;
}

BusState without_meters(const BusState& bus) {
  BusState head = bus;
  head.meters.clear();
  return head;
}

}  // namespace

std::string snapshot_json(const Snapshot& s) { return json_of(s, kRefusedPoints); }

std::vector<std::string> snapshot_pages(const Snapshot& s, std::size_t max_bytes) {
  Snapshot page = s;
  page.buses.clear();
  const std::size_t rest = json_of(page, 0).size();
  std::size_t bytes = rest;
  std::vector<std::string> pages;
  const auto turn = [&] {
    pages.push_back(json_of(page, kRefusedOnPage));
    page.buses.clear();
    bytes = rest;
  };
  const auto begin_bus = [&](const BusState& bus) {
    page.buses.push_back(without_meters(bus));
    bytes += bytes_of(page.buses.back());
  };
  for (const BusState& bus : s.buses) {
    if (!page.buses.empty() && bytes + bytes_of(without_meters(bus)) > max_bytes) turn();
    begin_bus(bus);
    for (const MeterState& meter : bus.meters) {
      const std::size_t size = bytes_of(meter);
      const bool alone = page.buses.size() == 1 && page.buses.back().meters.empty();
      if (!alone && bytes + size > max_bytes) {
        turn();
        begin_bus(bus);
      }
      page.buses.back().meters.push_back(meter);
      bytes += size;
    }
  }
  turn();
  return pages;
}

}  // namespace metergate
