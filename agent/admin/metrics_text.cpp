#include "agent/admin/metrics_text.h"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace metergate {

namespace {

/// A whole number of parts, so many of which are one, as a decimal: no digit is lost on the way.
std::string parts(std::int64_t value, std::size_t digits) {
  std::string text = std::to_string(value < 0 ? -value : value);
  if (text.size() <= digits) text.insert(0, digits + 1 - text.size(), '0');
  text.insert(text.size() - digits, ".");
  return (value < 0 ? "-" : "") + text;
}
std::string seconds_of_us(std::int64_t us) { return parts(us, 6); }
std::string seconds(UtcTime t) { return parts(to_ms(t), 3); }
std::string seconds(Nanos t) { return parts(std::chrono::duration_cast<Millis>(t).count(), 3); }

class Text {
 public:
  using Labels = std::initializer_list<std::pair<const char*, std::string_view>>;

  Text& family(const std::string& name, const char* type, const char* help) {
    name_ = "metergate_" + name;
    out_ += "# HELP " + name_ + ' ' + help + "\n# TYPE " + name_ + ' ' + type + '\n';
    return *this;
  }
  Text& gauge(const std::string& name, const char* help) { return family(name, "gauge", help); }
  Text& counter(const std::string& name, const char* help) { return family(name, "counter", help); }

  Text& sample(Labels labels, const std::string& value) {
    out_ += name_;
    char before = '{';
    for (const auto& [label, text] : labels) {
      out_ += before;
      (out_ += label) += "=\"";
      escape(text);
      out_ += '"';
      before = ',';
    }
    if (labels.size() > 0) out_ += '}';
    (out_ += ' ') += value + '\n';
    return *this;
  }
  Text& sample(Labels labels, std::int64_t value) { return sample(labels, std::to_string(value)); }
  template <class Value>
  Text& sample(const Value& value) {
    return sample({}, value);
  }

  /// What a summary without quantiles has.
  Text& count_and_sum(std::int64_t count, const std::string& sum) {
    out_ += name_ + "_sum " + sum + '\n' + name_ + "_count " + std::to_string(count) + '\n';
    return *this;
  }

  std::string take() { return std::move(out_); }

 private:
  void escape(std::string_view text) {
    for (const char c : text) {
      if (c == '\n') {
        out_ += "\\n";
        continue;
      }
      if (c == '\\' || c == '"') out_ += '\\';
      out_ += c;
    }
  }
  std::string out_, name_;
};

template <class Value>
void each_bus(Text& text, const Snapshot& s, const Value& value) {
  for (const BusState& bus : s.buses) text.sample({{"bus", bus.name}}, value(bus));
}

void write_buses(Text& text, const Snapshot& s) {
  text.gauge("bus_up", "Whether the bus's port is open.");
  each_bus(text, s, [](const BusState& b) { return b.up ? 1 : 0; });
  text.gauge("bus_paused", "Whether the bus's port is lent to another program.");
  each_bus(text, s, [](const BusState& b) { return b.paused_until ? 1 : 0; });
  text.gauge("bus_overloaded", "Whether slots come due faster than the bus can read them.");
  each_bus(text, s, [](const BusState& b) { return b.overloaded ? 1 : 0; });
  text.counter("bus_slots_wanted_total", "Slots that came due for the bus's polls, without those of silent meters.");
  each_bus(text, s, [](const BusState& b) { return b.slots_wanted; });
  text.counter("bus_slots_kept_total", "Slots of these that were kept.");
  each_bus(text, s, [](const BusState& b) { return b.slots_kept; });
  text.counter("bus_busy_seconds_total", "Time spent in transactions, silence included; its rate is the utilisation.");
  each_bus(text, s, [](const BusState& b) { return seconds_of_us(b.counters.busy_us); });
  text.counter("bus_transactions_total", "Requests, by their outcome.");
  for (const BusState& bus : s.buses) {
    const BusCounters& c = bus.counters;
    const std::pair<const char*, std::int64_t> outcomes[] = {
        {"answer", c.answers},  {"timeout", c.timeouts},     {"crc", c.crc},
        {"garbled", c.garbled}, {"exception", c.exceptions}, {"bus_down", c.bus_down}};
    for (const auto& [outcome, count] : outcomes) text.sample({{"bus", bus.name}, {"outcome", outcome}}, count);
  }
  text.counter("bus_guard_reads_total", "Requests sent to get past an unanswered one.");
  each_bus(text, s, [](const BusState& b) { return b.counters.guards; });
  text.counter("bus_late_bytes_total", "Bytes thrown away because they answered no open request.");
  each_bus(text, s, [](const BusState& b) { return b.counters.late_bytes; });
  text.counter("bus_late_frames_total", "Answers that came too late.");
  each_bus(text, s, [](const BusState& b) { return b.counters.late_frames; });
  text.counter("bus_foreign_frames_total", "Requests of another master, and the answers to them.");
  each_bus(text, s, [](const BusState& b) { return b.counters.foreign_frames; });
  text.gauge("bus_second_master", "Whether a second master talks on the line.");
  each_bus(text, s, [](const BusState& b) { return b.second_master ? 1 : 0; });
  text.counter("bus_opens_total", "Times that the port was opened.");
  each_bus(text, s, [](const BusState& b) { return b.counters.opened; });
  text.counter("bus_commands_total", "Commands that the bus ended.");
  each_bus(text, s, [](const BusState& b) { return b.commands_done; });
  text.gauge("bus_commands_waiting", "Open commands of the bus, also those that it has no room for yet.");
  each_bus(text, s, [](const BusState& b) { return b.commands_waiting; });
}

template <class Body>
void each_meter(const Snapshot& s, const Body& body) {
  for (const BusState& bus : s.buses) {
    for (const MeterState& meter : bus.meters) body(bus.name, meter);
  }
}

void write_meters(Text& text, const Snapshot& s) {
  text.gauge("meter_silent", "Whether the meter has stopped answering.");
  each_meter(s, [&](const std::string& bus, const MeterState& meter) {
    text.sample({{"bus", bus}, {"meter", meter.id}}, meter.silent ? 1 : 0);
  });
  text.gauge("meter_last_good_reading_timestamp_seconds", "When the last good reading was taken, Unix time.");
  each_meter(s, [&](const std::string& bus, const MeterState& meter) {
    if (meter.last_good != UtcTime{}) text.sample({{"bus", bus}, {"meter", meter.id}}, seconds(meter.last_good));
  });
  const auto each_time = [&](const auto& value) {
    each_meter(s, [&](const std::string& bus, const MeterState& meter) {
      if (meter.turnaround) text.sample({{"bus", bus}, {"meter", meter.id}}, value(*meter.turnaround));
    });
  };
  text.gauge("meter_turnaround_seconds", "From the end of a request to the start of its answer, a running mean.");
  each_time([](const Turnaround& t) { return seconds_of_us(t.usual.count()); });
  text.gauge("meter_slowest_answer_seconds", "The longest such time in the last 24 hours.");
  each_time([](const Turnaround& t) { return seconds_of_us(t.slowest.count()); });
  text.gauge("meter_answer_deadline_seconds", "How long the first try of a poll's request waits for its answer.");
  each_time([](const Turnaround& t) { return seconds_of_us(Micros(t.deadline).count()); });
  text.counter("meter_readings_total", "Readings of the meter's polls, by quality.");
  each_meter(s, [&](const std::string& bus, const MeterState& meter) {
    text.sample({{"bus", bus}, {"meter", meter.id}, {"quality", "good"}}, meter.good);
    text.sample({{"bus", bus}, {"meter", meter.id}, {"quality", "partial"}}, meter.partial);
    text.sample({{"bus", bus}, {"meter", meter.id}, {"quality", "bad"}}, meter.bad);
  });
  text.gauge("meter_refused_points", "Points that are left out because the meter refuses them.");
  each_meter(s, [&](const std::string& bus, const MeterState& meter) {
    text.sample({{"bus", bus}, {"meter", meter.id}}, static_cast<std::int64_t>(meter.unsupported.size()));
  });
  text.counter("meter_slots_missed_total", "Slots of the meter's polls that could not be kept.");
  each_meter(s, [&](const std::string& bus, const MeterState& meter) {
    text.sample({{"bus", bus}, {"meter", meter.id}}, meter.slots_missed);
  });
}

template <class Value>
void each_lane(Text& text, const Value& value) {
  for (const Lane lane : kAllLanes) text.sample({{"lane", lane_name(lane)}}, value(static_cast<std::size_t>(lane)));
}

void write_lanes(Text& text, const Snapshot& s) {
  const auto& lanes = s.store.lanes;
  const auto& sources = s.uplink.sources;
  text.gauge("lane_waiting_records", "Records that are not delivered yet.");
  each_lane(text, [&](std::size_t i) { return lanes[i].waiting; });
  text.gauge("lane_oldest_waiting_timestamp_seconds", "When the oldest record that waits was taken, Unix time.");
  for (const Lane lane : kAllLanes) {
    const LaneState& state = lanes[static_cast<std::size_t>(lane)];
    if (state.waiting > 0) text.sample({{"lane", lane_name(lane)}}, seconds(from_ms(state.oldest_ms)));
  }
  text.counter("lane_stored_records_total", "Records committed to the store.");
  each_lane(text, [&](std::size_t i) { return lanes[i].appended; });
  text.counter("lane_sent_records_total", "Records published, repeats among them.");
  each_lane(text, [&](std::size_t i) { return sources[i].records; });
  text.counter("lane_delivered_records_total", "Records delivered.");
  each_lane(text, [&](std::size_t i) { return lanes[i].delivered; });
  text.counter("lane_dropped_records_total", "Records dropped undelivered, because the store was full.");
  each_lane(text, [&](std::size_t i) { return lanes[i].dropped; });
  text.gauge("lane_refused", "Whether the broker ends the connection at a message of the lane.");
  each_lane(text, [&](std::size_t i) { return sources[i].refused ? 1 : 0; });
}

void write_store(Text& text, const StoreState& store) {
  text.gauge("store_failing", "Whether the store's file cannot be used at present.");
  text.sample(store.failing ? 1 : 0);
  text.gauge("store_disk_full", "Whether the store's disk has no room.").sample(store.disk_full ? 1 : 0);
  text.gauge("store_used_bytes", "Room that the store takes.").sample(store.bytes_used);
  text.gauge("store_max_bytes", "Room that the store may take.").sample(store.bytes_max);
  text.family("store_commit_duration_seconds", "summary", "How long commits took, those that failed among them.");
  text.count_and_sum(store.commits + store.failed_commits, seconds_of_us(store.commit_us_sum));
  text.gauge("store_commit_duration_max_seconds", "The longest commit since the start.");
  text.sample(seconds_of_us(store.commit_us_max));
  text.counter("store_failed_commits_total", "Commits that failed.").sample(store.failed_commits);
  text.counter("store_reopened_total", "Times that the store's file was opened anew.").sample(store.reopened);
  text.counter("store_lost_readings_total", "Readings that were lost because the store could not take them.");
  text.sample(store.readings_lost);
  text.gauge("store_open_commands", "Commands that have no result yet.").sample(store.open_commands);
  text.counter("store_commands_without_room_total", "Commands for which the store had no room.");
  text.sample(store.commands_without_room);
  text.gauge("store_dead_letters", "Unreadable messages that are kept.").sample(store.dead_letters);
}

void write_uplink(Text& text, const Snapshot& s) {
  const ForwarderState& uplink = s.uplink;
  text.gauge("uplink_connected", "Whether the broker is connected.").sample(uplink.connected ? 1 : 0);
  text.counter("uplink_connects_total", "Connections that were made.").sample(uplink.session.connects);
  text.counter("uplink_losses_total", "Connections that were lost.").sample(uplink.session.losses);
  text.counter("uplink_sessions_lost_total", "Sessions that the broker forgot.").sample(uplink.session.sessions_lost);
  text.gauge("uplink_unacknowledged_messages", "Messages that the broker has not acknowledged yet.");
  text.sample(static_cast<std::int64_t>(uplink.in_flight));
  text.gauge("uplink_oldest_unacknowledged_seconds", "Age of the oldest unacknowledged message, 0 without one.");
  text.sample(seconds(uplink.oldest_unacked));
  text.counter("uplink_repeated_records_total", "Records sent again because a command was repeated.");
  text.sample(uplink.republished);
  text.counter("uplink_resent_records_total", "Records sent again because no receipt came for them.")
      .sample(uplink.resent);
  text.counter("uplink_ignored_messages_total", "Messages on a topic that this gateway does not use.");
  text.sample(uplink.ignored_messages);
  text.counter("uplink_receipts_total", "Receipts, by their outcome.");
  text.sample({{"outcome", "counted"}}, uplink.receipts.counted);
  text.sample({{"outcome", "nothing_new"}}, uplink.receipts.nothing_new);
  text.sample({{"outcome", "ignored"}}, uplink.receipts.ignored);
  text.sample({{"outcome", "malformed"}}, uplink.receipts.malformed);
}

}  // namespace

std::string metrics_text(const Snapshot& s) {
  Text text;
  text.gauge("info", "Which gateway this is.");
  text.sample({{"gateway", s.gateway}, {"version", s.version}, {"epoch", s.epoch}}, 1);
  text.gauge("start_time_seconds", "When the agent was started, Unix time.").sample(seconds(s.since));
  text.gauge("clock_synced", "Whether the clock is known to be right.").sample(s.clock_synced ? 1 : 0);
  write_buses(text, s);
  write_meters(text, s);
  write_lanes(text, s);
  write_store(text, s.store);
  write_uplink(text, s);
  return text.take();
}

}  // namespace metergate
