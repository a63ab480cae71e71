#include "agent/config/spec.h"

#include <algorithm>

#include "agent/base/utf8.h"
#include "agent/config/endpoint.h"

namespace metergate {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Millis kTcpTimeout{3000};
constexpr Millis kScanTimeout{300};
constexpr Millis kScanTcpTimeout{1000};
constexpr Millis kShortestTimeout{10};
constexpr Millis kShortestEvery{10};
constexpr Millis kKeepHighFrom{60'000};
constexpr std::size_t kLongestLabel = 200;
constexpr int kHighestUnit = 255;

void read_rts_delay(SpecFieldReader& reader, SerialSettings& serial) {
  const auto text = reader.text("rts-delay");
  if (!text) return;
  const auto parts = split(*text, '/');
  const auto before = parse_duration(parts[0], Millis{0}, seconds(1));
  const auto after = parse_duration(parts.back(), Millis{0}, seconds(1));
  if (parts.size() != 2 || !before || !after) {
    return reader.fail("rts-delay: " + in_quotes(*text) +
                       " is not two durations up to 1s, before and after sending, such as 1ms/1ms");
  }
  if (serial.direction == Direction::kNone) reader.fail("rts-delay needs rs485=kernel, rs485=rts-up or rs485=rts-down");
  serial.rts_before = *before;
  serial.rts_after = *after;
}

enum class LineSpeed { kGiven, kToBeFound };

SerialSettings read_serial(SpecFieldReader& reader, LineSpeed speed) {
  SerialSettings serial;
  serial.device = reader.required("device", "/dev/ttyS1");
  for (const char* key : {"connect-timeout", "idle-close", "connect-delay", "lenient"}) {
    if (reader.text(key)) reader.fail(std::string(key) + " has no meaning on a serial line");
  }
  serial.stop_bits = 0;
  if (speed == LineSpeed::kGiven) reader.required("baud", "9600");
  if (const auto baud = reader.choice("baud", known_bauds())) serial.baud = std::stoi(known_bauds()[*baud]);
  if (speed == LineSpeed::kGiven) reader.required("mode", "8E1");
  if (const auto mode = reader.choice("mode", known_modes())) set_mode(known_modes()[*mode], &serial);
  if (const auto rs485 = reader.choice("rs485", {"none", "kernel", "rts-up", "rts-down"})) {
    serial.direction = static_cast<Direction>(*rs485);
  }
  read_rts_delay(reader, serial);
  return serial;
}

TcpSettings read_tcp(SpecFieldReader& reader, bool rtu) {
  TcpSettings tcp;
  tcp.rtu = rtu;
  const std::string key = rtu ? "rtu-over-tcp" : "tcp";
  for (const char* serial : {"baud", "mode", "rs485", "rts-delay"}) {
    if (reader.text(serial)) reader.fail(std::string(serial) + " has no meaning with " + key + "=");
  }
  const auto endpoint = parse_endpoint(reader.text(key).value_or(""), 0, rtu ? "10.0.0.9:4001" : "10.0.0.7:502");
  if (!endpoint) {
    reader.fail(key + ": " + endpoint.error().detail);
    return tcp;
  }
  tcp.host = endpoint->host;
  tcp.port = endpoint->port;
  std::optional<Millis> connect;
  reader.duration("connect-timeout", Millis{100}, minutes(1), connect);
  tcp.connect_timeout = connect.value_or(tcp.connect_timeout);
  reader.duration("idle-close", seconds(1), hours(24), tcp.idle_close);
  std::optional<Millis> delay;
  reader.duration("connect-delay", Millis{0}, seconds(10), delay);
  tcp.connect_delay = delay.value_or(tcp.connect_delay);
  if (rtu && reader.text("lenient"))
    reader.fail("lenient has no meaning with rtu-over-tcp=: its frames carry no transaction number");
  if (const auto lenient = reader.choice("lenient", {"none", "transaction", "unit", "both"})) {
    tcp.lenient = static_cast<Lenient>(*lenient);
  }
  return tcp;
}

Result<BusSpec> read_bus(const SpecFields& fields, const Place& place, LineSpeed speed) {
  SpecFieldReader reader(
      fields, {"name", "device", "baud", "mode", "rs485", "rts-delay", "tcp", "rtu-over-tcp", "connect-delay",
               "lenient", "connect-timeout", "idle-close", "timeout", "retries", "gap"});
  BusSpec bus;
  bus.place = place;
  reader.name("name", bus.name, "rs485-1");
  const bool serial = reader.text("device").has_value();
  const bool tcp = reader.text("tcp").has_value();
  const bool rtu = reader.text("rtu-over-tcp").has_value();
  if (serial + tcp + rtu != 1) {
    reader.fail(
        "a bus has exactly one of device=, tcp= and rtu-over-tcp=; such as device=/dev/ttyS1,baud=9600,mode=8E1");
  } else if (serial) {
    bus.settings.port = read_serial(reader, speed);
    if (speed == LineSpeed::kToBeFound) bus.settings.timeout = kScanTimeout;
  } else {
    bus.settings.port = read_tcp(reader, rtu);
    bus.settings.timeout = speed == LineSpeed::kToBeFound ? kScanTcpTimeout : kTcpTimeout;
  }
  std::optional<Millis> timeout, gap;
  std::optional<int> retries;
  reader.duration("timeout", kShortestTimeout, minutes(1), timeout);
  reader.duration("gap", Millis{0}, seconds(10), gap);
  reader.integer("retries", 0, 10, retries);
  bus.settings.timeout = timeout.value_or(bus.settings.timeout);
  bus.settings.gap = gap.value_or(bus.settings.gap);
  bus.retries = retries.value_or(bus.retries);
  if (!reader.status()) return reader.status().error();
  return bus;
}

std::vector<std::string> read_points(SpecFieldReader& reader) {
  const auto text = reader.text("points");
  if (!text) return {};
  std::vector<std::string> points = split(*text, '+');
  for (std::string& point : points) {
    point = trim(point);
    if (point.empty() || point.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_*") != std::string::npos) {
      reader.fail("points: " + in_quotes(point) +
                  " is not a point's name or a pattern of one; such as active_energy_*+frequency");
    }
  }
  return points;
}

std::string read_text(SpecFieldReader& reader, const std::string& key) {
  std::string text = reader.text(key).value_or("");
  const bool control =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (control || text.size() > kLongestLabel || !is_utf8(text)) {
    reader.fail(key + " is not up to " + std::to_string(kLongestLabel) + " bytes of UTF-8 text in one line");
  }
  return text;
}

/// unit= or address=.
void read_place_on_bus(SpecFieldReader& reader, MeterSpec& meter) {
  const auto address = reader.text("address");
  if (address) {
    if (reader.text("unit")) return reader.fail("unit= and address= exclude each other: Modbus meters have a unit");
    if (!is_meter_address(*address)) {
      return reader.fail("address: " + in_quotes(*address) + " is not 1 to 12 digits, as they stand on the meter");
    }
    meter.address = *address;
    return;
  }
  const auto unit = parse_integer(reader.required("unit", "1"), 0, kHighestUnit);
  if (!unit) reader.fail("unit: " + in_quotes(reader.text("unit").value_or("")) + " is not a unit: " + kUnitRange);
  meter.unit = unit ? static_cast<int>(*unit) : 0;
}

/// `+08:00`.
void read_utc_offset(SpecFieldReader& reader, MeterSpec& meter) {
  const auto text = reader.text("utc-offset");
  if (!text) return;
  const std::size_t colon = text->find(':');
  const bool sign = !text->empty() && (text->front() == '+' || text->front() == '-');
  const auto hours_part = parse_integer(sign && colon == 3 ? text->substr(1, 2) : "", 0, 14);
  const auto minutes_part = parse_integer(sign && colon == 3 ? text->substr(4) : "", 0, 59);
  if (!hours_part || !minutes_part || text->size() != 6) {
    return reader.fail("utc-offset: " + in_quotes(*text) + " is not how far a clock is ahead of UTC, such as +08:00");
  }
  const Millis ahead = hours(*hours_part) + minutes(*minutes_part);
  meter.utc_offset = text->front() == '-' ? -ahead : ahead;
}

void read_every(SpecFieldReader& reader, PollSpec& poll) {
  std::optional<Millis> every;
  reader.duration("every", Millis{0}, hours(24 * 366), every);
  poll.every = every.value_or(Millis{0});
  if (poll.every > Millis{0} && poll.every < kShortestEvery) {
    reader.fail("every: '" + format_duration(poll.every) + "' is below " + format_duration(kShortestEvery) +
                "; every=0s reads back to back");
  }
  poll.keep_high = poll.every >= kKeepHighFrom;
}

}  // namespace

const std::vector<std::string>& known_bauds() {
  static const std::vector<std::string> list{"300",    "600",    "1200",   "1800",  "2400",   "4800",
                                             "9600",   "19200",  "38400",  "57600", "115200", "230400",
                                             "460800", "500000", "576000", "921600"};
  return list;
}

const std::vector<std::string>& known_modes() {
  static const std::vector<std::string> list{"8N1", "8N2", "8E1", "8O1"};
  return list;
}

void set_mode(const std::string& mode, LineMode* line) {
  line->parity = mode[1];
  line->stop_bits = mode[2] - '0';
}

const std::vector<std::string>& meter_keys() {
  static const std::vector<std::string> keys{
      "id",   "bus",     "unit",          "profile",   "every",   "points", "label",         "serial",
      "ct",   "pt",      "writable",      "timeout",   "retries", "gap",    "max-registers", "baud",
      "mode", "address", "password-file", "utc-offset"};
  return keys;
}

bool is_meter_address(std::string_view text) {
  return !text.empty() && text.size() <= kAddressDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<BusSpec> parse_bus(const SpecFields& fields, const Place& place) {
  return read_bus(fields, place, LineSpeed::kGiven);
}

Result<BusSpec> parse_bus_to_scan(const SpecFields& fields, const Place& place) {
  return read_bus(fields, place, LineSpeed::kToBeFound);
}

Result<MeterAndPoll> parse_meter(const SpecFields& fields, const Place& place) {
  SpecFieldReader reader(fields, meter_keys());
  MeterAndPoll parsed;
  MeterSpec& meter = parsed.meter;
  meter.place = place;
  reader.name("id", meter.id, "main");
  reader.name("bus", meter.bus, "rs485-1");
  read_place_on_bus(reader, meter);
  meter.profile = reader.required("profile", "sdm630");
  meter.password_file = reader.text("password-file").value_or("");
  read_utc_offset(reader, meter);
  meter.points = read_points(reader);
  meter.label = read_text(reader, "label");
  meter.serial = read_text(reader, "serial");
  meter.ct = reader.text("ct").value_or("");
  meter.pt = reader.text("pt").value_or("");
  meter.writable = reader.choice("writable", {"no", "yes"}).value_or(0) == 1;
  reader.duration("timeout", kShortestTimeout, minutes(1), meter.timeout);
  reader.integer("retries", 0, 10, meter.retries);
  std::optional<Millis> gap;
  reader.duration("gap", Millis{0}, seconds(10), gap);
  meter.gap = gap.value_or(Millis{0});
  reader.integer("max-registers", 1, kMostRegisters, meter.max_registers);
  if (const auto baud = reader.choice("baud", known_bauds())) meter.baud = std::stoi(known_bauds()[*baud]);
  if (const auto mode = reader.choice("mode", known_modes())) meter.mode = known_modes()[*mode];
  if (reader.text("every")) {
    PollSpec poll;
    poll.meter = meter.id;
    poll.name = kMainPoll;
    poll.points = meter.points;
    poll.place = place;
    read_every(reader, poll);
    parsed.poll = poll;
  }
  if (!reader.status()) return reader.status().error();
  return parsed;
}

Result<PollSpec> parse_poll(const SpecFields& fields, const Place& place) {
  SpecFieldReader reader(fields, {"meter", "every", "points", "name", "keep"});
  PollSpec poll;
  poll.place = place;
  reader.name("meter", poll.meter, "main");
  reader.required("every", "15m");
  read_every(reader, poll);
  poll.points = read_points(reader);
  poll.name = format_duration(poll.every);
  if (reader.text("name")) reader.name("name", poll.name, "billing");
  if (const auto keep = reader.choice("keep", {"low", "high"})) poll.keep_high = *keep == 1;
  if (!reader.status()) return reader.status().error();
  return poll;
}

}  // namespace metergate
