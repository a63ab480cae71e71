#include "agent/admin/status_page.h"

#include <algorithm>
#include <string_view>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr std::string_view kMark = "<!--main-->";
// A page of more would be too much for a phone.
constexpr std::size_t kMetersWithValues = 100;
constexpr std::size_t kValues = 4'000;
constexpr std::size_t kFinePlots = 32;  // of more buses only every kCoarse-th sample is drawn
constexpr std::size_t kCoarse = 6;
constexpr std::size_t kMetersInOneTable = 50;
constexpr std::size_t kOpenMeters = 20;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string good(std::string_view text) { return "<span class=good>" + escaped(text) + "</span>"; }
std::string bad(std::string_view text) { return "<span class=bad>" + escaped(text) + "</span>"; }

/// Whole units of the largest kind that fits: "now", "12 s", "3 min", "5 h", "2 d".
std::string age(UtcTime then, UtcTime now) {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  if (passed < 1) return "now";
  if (passed < 120) return std::to_string(passed) + " s";
  if (passed < 7200) return std::to_string(passed / 60) + " min";
  if (passed < 172'800) return std::to_string(passed / 3600) + " h";
  return std::to_string(passed / 86'400) + " d";
}

std::string percent(int permille) { return std::to_string(permille / 10) + '.' + std::to_string(permille % 10) + " %"; }

class HtmlTable {
 public:
  HtmlTable(std::string& out, std::initializer_list<const char*> heads) : out_(out) {
    out_ += "<div class=scroll><table><tr>";
    for (const char* head : heads) (out_ += "<th>") += head;
  }
  ~HtmlTable() { out_ += "</table></div>\n"; }
  HtmlTable(const HtmlTable&) = delete;
  HtmlTable& operator=(const HtmlTable&) = delete;
  HtmlTable& row() { return put("\n<tr>", ""); }
  HtmlTable& text(std::string_view text) { return put("<td>", escaped(text)); }
  HtmlTable& html(const std::string& html) { return put("<td>", html); }
  HtmlTable& number(const std::string& number) { return put("<td class=n>", escaped(number)); }
  HtmlTable& number(std::int64_t value) { return number(std::to_string(value)); }

 private:
  HtmlTable& put(const char* before, const std::string& what) {
    (out_ += before) += what;
    return *this;
  }
  std::string& out_;
};

/// The last hour, now at the right edge, each `stride`-th sample.
template <class Samples>
std::string plot(const Samples& samples, std::int64_t top, const std::string& what, std::size_t stride = 1) {
  std::string points;
  const std::size_t before = StatusHistory::kSamples - samples.size();
  for (std::size_t i = (samples.size() + stride - 1) % stride; i < samples.size(); i += stride) {
    const std::int64_t height = static_cast<std::int64_t>(samples[i]) * 100 / std::max<std::int64_t>(top, 1);
    points += std::to_string(before + i) + ',' + std::to_string(100 - height) + ' ';
  }
  return "<svg viewBox=\"0 -3 " + std::to_string(StatusHistory::kSamples) +
         " 106\" preserveAspectRatio=none role=img aria-label=\"" + what + "\"><title>" + what +
         "</title><polyline points=\"" + points + "\"/></svg>";
}

std::string state_of(const BusState& bus) {
  if (bus.paused_until) return bad("paused until " + rfc3339(*bus.paused_until));
  if (!bus.up) return bad("down") + ' ' + escaped(bus.why_down);
  if (bus.second_master) return bad("second master");
  return bus.overloaded ? bad("overloaded") : good("up");
}

void write_head(std::string& out, const Snapshot& s, const std::vector<std::string>& problems) {
  out += "<h1>Gateway " + escaped(s.gateway) + "</h1>\n<p>";
  for (const std::string& problem : problems) out += bad(problem) + "<br>";
  out += "Broker: " + (s.uplink.connected ? good("connected") : bad("not connected"));
  out += " &middot; clock: " + (s.clock_synced ? good("synced") : bad("not synced"));
  out += "</p>\n<p>" + escaped(rfc3339(s.at)) + " &middot; running since " + escaped(rfc3339(s.since)) +
         " &middot; version " + escaped(s.version) + "</p>\n";
}

void write_buses(std::string& out, const Snapshot& s, const StatusHistory& history) {
  out += "<h2>Buses</h2>\n";
  HtmlTable table(out,
                  {"Bus", "State", "Utilisation", "The last hour", "Answers", "Timeouts", "Other errors", "Commands"});
  for (std::size_t i = 0; i < s.buses.size(); ++i) {
    const BusState& bus = s.buses[i];
    const BusCounters& c = bus.counters;
    const auto used = history.utilisation(i);
    table.row().text(bus.name).html(state_of(bus)).number(used.empty() ? "" : percent(used.back()));
    const std::size_t stride = s.buses.size() > kFinePlots ? kCoarse : 1;
    table.html(plot(used, 1000, "utilisation over the last hour", stride)).number(c.answers).number(c.timeouts);
    table.number(c.crc + c.garbled + c.exceptions + c.bus_down).number(bus.commands_done);
  }
}

void write_meters_of(HtmlTable& table, const BusState& bus, const BusConfig& config, UtcTime now) {
  for (std::size_t m = 0; m < bus.meters.size(); ++m) {
    const MeterState& meter = bus.meters[m];
    const bool never = meter.last_good == UtcTime{};
    table.row().text(meter.id).text(config.meters[m].spec.label).text(bus.name);
    table.html(meter.silent ? bad("silent") : never ? "no reading yet" : good("answers"));
    table.number(never ? "never" : age(meter.last_good, now)).number(meter.good).number(meter.partial);
    table.number(meter.bad).number(meter.slots_missed);
  }
}

/// One table, or where that would be long one a bus, closed where all its meters answer.
void write_meters(std::string& out, const Snapshot& s, const Site& site) {
  const auto heads = {"Meter", "Label", "Bus", "State", "Last good", "Good", "Partial", "Bad", "Missed"};
  out += "<h2>Meters</h2>\n";
  std::size_t all = 0;
  for (const BusState& bus : s.buses) all += bus.meters.size();
  if (all <= kMetersInOneTable) {
    HtmlTable table(out, heads);
    for (std::size_t b = 0; b < s.buses.size(); ++b) write_meters_of(table, s.buses[b], site.buses[b], s.at);
    return;
  }
  for (std::size_t b = 0; b < s.buses.size(); ++b) {
    const BusState& bus = s.buses[b];
    const auto silent =
        std::count_if(bus.meters.begin(), bus.meters.end(), [](const MeterState& meter) { return meter.silent; });
    const std::string name = escaped(bus.name);
    out += std::string("<details") + (silent > 0 ? " open" : "") + " id=\"bus:" + name + "\"><summary>" + name + ": " +
           std::to_string(bus.meters.size()) + " meters" +
           (silent > 0 ? ", " + bad(std::to_string(silent) + " silent") : "") + "</summary>\n";
    {
      HtmlTable table(out, heads);
      write_meters_of(table, bus, site.buses[b], s.at);
    }
    out += "</details>\n";
  }
}

void write_values_of(std::string& out, const Snapshot& s, const PointValues& values, const MeterConfig& meter,
                     bool open) {
  out += std::string("<details") + (open ? " open" : "") + " id=\"" + escaped(meter.spec.id) + "\"><summary>" +
         escaped(meter.spec.id) + "</summary>\n";
  {
    HtmlTable table(out, {"Point", "Value", "Unit", "Age"});
    for (const Point& point : meter.profile->points) {
      const auto found = values.find(point.name);
      if (found == values.end()) continue;
      const Value& value = found->second.value;
      table.row().text(point.name).number(value.form == Value::Form::kNull ? "not available" : value.text);
      table.text(point.unit).number(age(found->second.at, s.at));
    }
  }
  out += "</details>\n";
}

void write_values(std::string& out, const Snapshot& s, const LatestValues& latest, const Site& site) {
  out += "<h2>Latest values</h2>\n";
  std::size_t meters = 0, shown = 0, rows = 0;
  for (const BusConfig& bus : site.buses) meters += bus.meters.size();
  for (const BusConfig& bus : site.buses) {
    for (const MeterConfig& meter : bus.meters) {
      if (shown == kMetersWithValues || rows >= kValues) continue;
      ++shown;
      const PointValues values = latest.of(meter.spec.id);
      rows += values.size();
      if (!values.empty()) write_values_of(out, s, values, meter, meters <= kOpenMeters);
    }
  }
  if (meters > shown) out += "<p>The values of the first " + std::to_string(shown) + " meters are shown.</p>\n";
}

void write_backlog(std::string& out, const Snapshot& s, const StatusHistory& history) {
  const auto& samples = history.backlog();
  const std::int64_t most = samples.empty() ? 0 : *std::max_element(samples.begin(), samples.end());
  out += "<h2>Backlog</h2>\n" + plot(samples, most, "waiting records over the last hour");
  out += "<p>At most " + std::to_string(most) +
         " waiting records in the last hour. Store: " + std::to_string(s.store.bytes_used >> 10) + " of " +
         std::to_string(s.store.bytes_max >> 10) + " KiB.</p>\n";
  HtmlTable table(out, {"Lane", "Waiting", "Oldest", "Sent", "Delivered", "Dropped", "State"});
  for (const Lane lane : kAllLanes) {
    const auto i = static_cast<std::size_t>(lane);
    const LaneState& state = s.store.lanes[i];
    table.row().text(lane_name(lane)).number(state.waiting);
    table.number(state.waiting > 0 ? age(from_ms(state.oldest_ms), s.at) : "").number(s.uplink.sources[i].records);
    table.number(state.delivered).number(state.dropped);
    table.html(s.uplink.sources[i].refused ? bad("refused by the broker") : "");
  }
}

}  // namespace

std::vector<std::string> problems_of(const Snapshot& s, const std::vector<std::string>& hanging) {
  std::vector<std::string> all;
  all.reserve(hanging.size() + 1);
  for (const std::string& thread : hanging) all.push_back("the thread '" + thread + "' hangs");
  if (s.store.failing)
    all.push_back("the store cannot be used: " +
                  std::string(s.store.disk_full ? "its disk is full" : "see the log for the reason"));
  return all;
}

std::string status_page(const Snapshot& s, const StatusHistory& history, const LatestValues& latest, const Site& site,
                        const std::vector<std::string>& problems) {
  const std::string_view frame = status_page_frame();
  const std::size_t mark = frame.find(kMark);
  std::string out(frame.substr(0, mark));
  write_head(out, s, problems);
  write_buses(out, s, history);
  write_meters(out, s, site);
  write_values(out, s, latest, site);
  write_backlog(out, s, history);
  return out += frame.substr(mark + kMark.size());
}

}  // namespace metergate
