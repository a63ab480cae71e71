#include "agent/cli/store_print.h"

#include <algorithm>
#include <limits>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/cli/text_table.h"

namespace metergate {

namespace {

constexpr std::size_t kShownPayload = 60;

std::int64_t number_of(const Json* json, const char* name) {
  const Json* member = json ? json->find(name) : nullptr;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  return member ? member->as_integer(0, most).value_or(0) : 0;
}

/// Text as it stands, other values as JSON writes them; empty where there is none.
std::string cell(const Json* json, const char* name) {
  const Json* member = json ? json->find(name) : nullptr;
  if (!member) return "";
  return member->is(Json::Kind::kBoolean) ? (member->boolean ? "yes" : "no") : member->text;
}

std::string printable(std::string text) {
  for (char& c : text) c = c >= 0 && c < ' ' ? ' ' : c;
  if (text.size() <= kShownPayload) return text;
  std::size_t end = kShownPayload;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "...";
}

const char* or_dash(const std::string& text) { return text.empty() ? "-" : text.c_str(); }

class Verbatim final : public LinePrinter {
 public:
  explicit Verbatim(std::ostream& out) : out_(out) {}
  void add(const std::string& line) override { out_ << line << '\n'; }

 private:
  std::ostream& out_;
};

/// Members of JSON lines as columns.
class Tabular final : public LinePrinter {
 public:
  Tabular(std::vector<std::string> members, std::vector<std::string> header, std::vector<std::size_t> right,
          std::ostream& out)
      : members_(std::move(members)), table_(std::move(header), std::move(right)), out_(out) {}

  void add(const std::string& line) override {
    const auto json = parse_json(line);
    if (!json) return;
    std::vector<std::string> row;
    for (const std::string& member : members_) row.push_back(printable(cell(&*json, member.c_str())));
    table_.add(std::move(row));
  }
  void end() override { table_.print(out_); }

 private:
  std::vector<std::string> members_;
  TextTable table_;
  std::ostream& out_;
};

/// RFC 4180.
std::string csv(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

class Csv final : public LinePrinter {
 public:
  explicit Csv(std::ostream& out) : out_(out) { out_ << "id,seq,at,clock,meter,poll,slot,quality,point,value,error\n"; }

  void add(const std::string& line) override {
    const auto json = parse_json(line);
    if (!json) return;
    std::string head;
    for (const char* name : {"id", "seq", "at", "clock", "meter", "poll", "slot", "quality"}) {
      head += csv(cell(&*json, name)) + ",";
    }
    write_all(head, json->find("values"), false);
    write_all(head, json->find("errors"), true);
    if (const Json* error = json->find("error")) out_ << head << ",," << csv(cell(error, "code")) << '\n';
  }

 private:
  void write_all(const std::string& head, const Json* points, bool errors) {
    for (std::size_t i = 0; points && i < points->items.size(); ++i) {
      const Json& point = points->items[i];
      out_ << head << csv(points->names[i]) << ",";
      out_ << (errors ? "," + csv(cell(&point, "code")) : csv(point.text) + ",") << '\n';
    }
  }
  std::ostream& out_;
};

std::string drain_of(const LaneView& lane) {
  if (lane.drops > 0) return "drops " + with_commas(lane.drops) + " a min";
  if (!lane.drains || lane.waiting == 0) return "-";
  if (*lane.drains > 0) return with_commas(*lane.drains) + " a min";
  return *lane.drains == 0 ? "no" : "grows by " + with_commas(-*lane.drains) + " a min";
}

std::string empty_in(const LaneView& lane) {
  if (lane.waiting == 0 || lane.drains.value_or(0) <= 0) return "-";
  const std::int64_t minutes = lane.waiting / *lane.drains;
  if (minutes < 1) return "less than 1 min";
  return minutes < 120 ? std::to_string(minutes) + " min" : with_commas(minutes / 60) + " h";
}

}  // namespace

LaneViews lanes_of(const std::array<LaneState, kLanes>& lanes, const LossCounts& losses) {
  LaneViews views;
  for (std::size_t i = 0; i < kLanes; ++i) {
    views[i].waiting = lanes[i].waiting;
    if (lanes[i].waiting > 0) views[i].since = rfc3339(from_ms(lanes[i].oldest_ms));
  }
  views[static_cast<std::size_t>(Lane::kReadings)].lost = losses.readings_lost;
  return views;
}

LaneViews lanes_of(const Json& first, const Json& second, Millis between) {
  LaneViews views;
  const auto part = [](const Json& status, const char* group, const char* lane) -> const Json* {
    const Json* in = status.find(group);
    if (in && std::string(group) == "uplink") in = in->find("lanes");
    return in ? in->find(lane) : nullptr;
  };
  for (const Lane lane : kAllLanes) {
    LaneView& view = views[static_cast<std::size_t>(lane)];
    const Json* before = part(first, "store", lane_name(lane));
    const Json* now = part(second, "store", lane_name(lane));
    view.waiting = number_of(now, "waiting");
    view.since = cell(now, "oldest");
    view.dropped = number_of(now, "dropped");
    const std::int64_t ms = std::max<std::int64_t>(1, between.count());
    const std::int64_t dropped = view.dropped - number_of(before, "dropped");
    view.drains = (number_of(before, "waiting") - view.waiting - dropped) * 60'000 / ms;
    view.drops = dropped * 60'000 / ms;
    if (lane == Lane::kReadings) view.lost = number_of(second.find("store"), "readings_lost");
    view.refused = cell(part(second, "uplink", lane_name(lane)), "refused") == "yes";
  }
  return views;
}

void print_lanes(const LaneViews& lanes, bool json, std::ostream& out) {
  TextTable table({"LANE", "WAITING", "SINCE", "DRAINS", "EMPTY IN", "DROPPED", "REFUSED"}, {1, 5});
  for (const Lane lane : kAllLanes) {
    const LaneView& view = lanes[static_cast<std::size_t>(lane)];
    if (json) {
      JsonWriter line;
      line.begin_object().member("lane", std::string(lane_name(lane))).member("waiting", view.waiting);
      if (view.waiting > 0) line.member("since", view.since);
      if (view.drains) line.member("drains_a_minute", *view.drains).member("drops_a_minute", view.drops);
      line.member("dropped", view.dropped);
      if (lane == Lane::kReadings) line.member("lost", view.lost);
      line.member("refused", view.refused);
      out << line.end_object().take() << '\n';
    }
    table.add({lane_name(lane), with_commas(view.waiting), or_dash(view.since), drain_of(view), empty_in(view),
               with_commas(view.dropped), view.refused ? "yes" : "-"});
  }
  if (!json) table.print(out);
}

void print_uplink(const Json& status, std::ostream& out) {
  const Json* uplink = status.find("uplink");
  const Json* store = status.find("store");
  out << (cell(uplink, "connected") == "yes" ? "the broker is connected; " : "the broker is not connected; ")
      << format_bytes(static_cast<double>(number_of(store, "bytes_used"))) << " of "
      << format_bytes(static_cast<double>(number_of(store, "bytes_max"))) << " are used, "
      << with_commas(number_of(store, "open_commands")) << " commands are open, "
      << with_commas(number_of(store, "dead_letters")) << " unreadable messages are kept\n";
  if (const std::int64_t lost = number_of(store, "readings_lost"); lost > 0)
    out << with_commas(lost) << " readings were lost, since the store could not take them\n";
}

void print_losses(const LossCounts& losses, std::ostream& out) {
  if (losses.readings_lost > 0)
    out << with_commas(losses.readings_lost)
        << " readings were lost since this store was made, as it could not take them\n";
  if (losses.commands_refused > 0)
    out << with_commas(losses.commands_refused)
        << " commands were refused since this store was made, as it had no room\n";
}

std::unique_ptr<LinePrinter> make_line_printer(const Invocation& invocation, std::ostream& out) {
  const std::string& what = invocation.text;
  if (what == "export" && invocation.csv) return std::make_unique<Csv>(out);
  if (what == "export" || invocation.json) return std::make_unique<Verbatim>(out);
  using Names = std::vector<std::string>;
  if (what == "drops") {
    return std::make_unique<Tabular>(Names{"lane", "epoch", "from_seq", "to_seq", "count", "told"},
                                     Names{"LANE", "EPOCH", "FROM", "TO", "COUNT", "TOLD"},
                                     std::vector<std::size_t>{2, 3, 4}, out);
  }
  if (what == "dead") {
    return std::make_unique<Tabular>(Names{"at", "topic", "why", "payload"}, Names{"AT", "TOPIC", "WHY", "PAYLOAD"},
                                     std::vector<std::size_t>{}, out);
  }
  return std::make_unique<Tabular>(Names{"received_at", "id", "op", "bus", "state", "code"},
                                   Names{"RECEIVED", "ID", "OP", "BUS", "STATE", "CODE"}, std::vector<std::size_t>{},
                                   out);
}

}  // namespace metergate
