#include "agent/config/option_table.h"

#include <algorithm>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/config/endpoint.h"
#include "agent/config/meter_table.h"
#include "agent/config/option_parsers.h"
#include "agent/config/spec.h"
#include "agent/config/spec_fields.h"

namespace metergate {

namespace {

using std::chrono::hours;
using Refusal = std::optional<UsageError>;
using Apply = std::function<Refusal(Invocation&, const Setting&)>;

constexpr std::int64_t kSmallestStore = 8ll << 20;
constexpr std::int64_t kLargestStore = 1ll << 40;
constexpr Millis kLongestTime = hours(24 * 3660);

// Where a value goes.
template <class T>
auto to(T UplinkOptions::*member) {
  return [member](Invocation& invocation) -> T& { return invocation.options.uplink.*member; };
}
template <class T>
auto to(T StoreSettings::*member) {
  return [member](Invocation& invocation) -> T& { return invocation.options.store.*member; };
}
template <class T>
auto to(T Options::*member) {
  return [member](Invocation& invocation) -> T& { return invocation.options.*member; };
}
template <class T>
auto to_remote(T RemoteOptions::*member) {
  return [member](Invocation& invocation) -> T& { return invocation.options.remote.*member; };
}
template <class T>
auto to(T Invocation::*member) {
  return [member](Invocation& invocation) -> T& { return invocation.*member; };
}

/// Takes what `parse` makes of the value.
template <class Parse, class Place>
Apply parsed(Parse parse, Place place) {
  return [parse, place](Invocation& invocation, const Setting& setting) -> Refusal {
    auto value = parse(setting.value);
    if (!value) return refused(setting, value.error().detail);
    using Target = std::remove_reference_t<decltype(place(invocation))>;
    place(invocation) = static_cast<Target>(*value);
    return std::nullopt;
  };
}

template <class Place>
Apply text(Place place) {
  return parsed([](const std::string& value) { return Result<std::string>(value); }, place);
}

template <class Place>
Apply duration(Millis min, Millis max, Place place) {
  return parsed([=](const std::string& value) { return parse_duration(value, min, max); }, place);
}

template <class Place>
Apply integer(std::int64_t min, std::int64_t max, Place place) {
  return parsed([=](const std::string& value) { return parse_integer(value, min, max); }, place);
}

template <class Place>
Apply yes(Place place) {
  return [place](Invocation& invocation, const Setting& setting) -> Refusal {
    if (setting.value != "yes" && setting.value != "no") {
      return refused(setting, not_one_of(setting.value, {"yes", "no"}));
    }
    place(invocation) = setting.value == "yes";
    return std::nullopt;
  };
}

template <class T, class Place>
Apply choice(std::vector<std::pair<std::string, T>> choices, Place place) {
  return [choices, place](Invocation& invocation, const Setting& setting) -> Refusal {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      names.push_back(name);
      if (name != setting.value) continue;
      place(invocation) = value;
      return std::nullopt;
    }
    return refused(setting, not_one_of(setting.value, names));
  };
}

/// `parse` makes a thing of the SPEC's fields, `take` puts it into the options.
template <class Parse, class Take>
Apply spec(Parse parse, Take take) {
  return [parse, take](Invocation& invocation, const Setting& setting) -> Refusal {
    const auto fields = split_spec(setting.value);
    if (!fields) return refused(setting, fields.error().detail);
    auto result = parse(*fields, setting.place);
    if (!result) return refused(setting, result.error().detail);
    take(invocation.options, std::move(*result));
    return std::nullopt;
  };
}

void take_poll(Options& options, PollSpec poll) { options.polls.push_back(std::move(poll)); }
void take_meter(Options& options, MeterAndPoll meter) {
  options.meters.push_back(std::move(meter.meter));
  if (meter.poll) options.polls.push_back(std::move(*meter.poll));
}

Refusal apply_bus(Invocation& invocation, const Setting& setting) {
  const bool scan = invocation.subcommand == Invocation::Subcommand::kScan;
  const auto take = [](Options& options, BusSpec bus) { options.buses.push_back(std::move(bus)); };
  return spec(scan ? parse_bus_to_scan : parse_bus, take)(invocation, setting);
}

Refusal apply_upstream(Invocation& invocation, const Setting& setting) {
  const auto upstream = parse_upstream(setting.value);
  if (!upstream) return refused(setting, upstream.error().detail);
  invocation.options.upstreams.push_back({*upstream, setting.place});
  return std::nullopt;
}

Refusal apply_delivery(Invocation& invocation, const Setting& setting) {
  const bool receipts = setting.value == "receipt";
  if (!receipts && setting.value != "broker") return refused(setting, not_one_of(setting.value, {"broker", "receipt"}));
  invocation.options.uplink.receipts = receipts;
  return std::nullopt;
}

Refusal apply_meters(Invocation& invocation, const Setting& setting) {
  auto table = read_meter_table(setting.value);
  if (auto* error = std::get_if<UsageError>(&table)) {
    return UsageError{setting.place + ": " + error->message, error->status};
  }
  for (MeterAndPoll& row : std::get<0>(table)) take_meter(invocation.options, std::move(row));
  return std::nullopt;
}

Refusal apply_profile_dir(Invocation& invocation, const Setting& setting) {
  invocation.options.profile_dirs.push_back(setting.value);
  return std::nullopt;
}

Result<std::int64_t> parse_unit(const std::string& value) {
  auto unit = parse_integer(value, 0, 255);
  if (unit) return unit;
  return Error{Errc::kInvalid, in_quotes(value) + " is not a unit: " + kUnitRange};
}

Result<UtcTime> parse_time(const std::string& value) {
  if (const auto time = parse_rfc3339(value)) return *time;
  return Error{Errc::kInvalid, in_quotes(value) + " is no time like 2026-11-22T10:00:00Z"};
}

/// Absolute, so that it is the same one whatever reads it.
Result<std::string> parse_folder(const std::string& value) {
  if (value[0] == '/') return value;
  return Error{Errc::kInvalid, in_quotes(value) + " does not begin with '/'; such as /var/lib/metergate/remote"};
}

Result<std::int64_t> parse_store_size(const std::string& value) {
  return parse_size(value, kSmallestStore, kLargestStore);
}

template <class T>
using Choices = std::vector<std::pair<std::string, T>>;
Choices<LogLevel> log_levels() {
  return {{"error", LogLevel::kError},
          {"warning", LogLevel::kWarning},
          {"info", LogLevel::kInfo},
          {"debug", LogLevel::kDebug}};
}
Choices<Lane> lanes() {
  return {{"readings", Lane::kReadings}, {"results", Lane::kResults}, {"events", Lane::kEvents}};
}
Choices<LogFormat> log_formats() { return {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}; }
Choices<Table> tables() {
  return {
      {"coil", Table::kCoil}, {"discrete", Table::kDiscrete}, {"input", Table::kInput}, {"holding", Table::kHolding}};
}

/// Of records or of frames: the subcommand says.
Refusal apply_format(Invocation& invocation, const Setting& setting) {
  using Format = Invocation::TraceFormat;
  if (invocation.subcommand != Invocation::Subcommand::kTrace) {
    return choice<bool>({{"jsonl", false}, {"csv", true}}, to(&Invocation::csv))(invocation, setting);
  }
  return choice<Format>({{"text", Format::kText}, {"jsonl", Format::kJsonLines}, {"pcapng", Format::kPcapng}},
                        to(&Invocation::trace_format))(invocation, setting);
}

// clang-format off: one option a line, as in the help
std::vector<OptionInfo> agent_options() {
  const std::string gateway = "Gateway", meters = "Buses and meters", uplink = "Uplink", store = "Store",
                    other = "Other";
  return {
      {gateway, "gateway-id", "ID", "", "this gateway's name: letters, digits, '_' and '-'",
       parsed(parse_gateway_id, to(&Options::gateway))},

      {meters, "bus", "SPEC", "", "a serial line or a TCP endpoint", apply_bus, kForAll, true},
      {meters, "meter", "SPEC", "", "a meter on a bus", spec(parse_meter, take_meter), kForAll, true},
      {meters, "poll", "SPEC", "", "a further poll of a meter", spec(parse_poll, take_poll), kForAll, true},
      {meters, "meters", "FILE", "", "a table with a header of --meter's keys; comma, semicolon or tab", apply_meters,
       kForAll, true},
      {meters, "profile-dir", "DIR", "", "more profiles, DIR/NAME.ini", apply_profile_dir, kForAll, true},

      {uplink, "upstream", "URL", "", "mqtt://HOST[:1883], mqtts://HOST[:8883] for each node of one broker; or stdout:",
       apply_upstream, kForAll, true},
      {uplink, "topic-prefix", "P", "metergate", "topics start with P/GATEWAYID",
       parsed(parse_topic_prefix, to(&UplinkOptions::topic_prefix))},
      {uplink, "client-id", "ID", "metergate-GATEWAYID", "the MQTT client id",
       parsed(parse_client_id, to(&UplinkOptions::client_id))},
      {uplink, "username", "U", "", "for the broker", text(to(&UplinkOptions::username))},
      {uplink, "password-file", "F", "", "holds the password for the broker", text(to(&UplinkOptions::password_file))},
      {uplink, "ca-file", "F", "", "the certificate authorities to trust", text(to(&UplinkOptions::ca_file))},
      {uplink, "cert-file", "F", "", "this gateway's certificate", text(to(&UplinkOptions::cert_file))},
      {uplink, "key-file", "F", "", "the certificate's key", text(to(&UplinkOptions::key_file))},
      {uplink, "keep-alive", "D", "20s", "MQTT keep-alive", parsed(parse_keep_alive, to(&UplinkOptions::keep_alive))},
      {uplink, "backoff-min", "D", "500ms", "shortest pause before a new connect",
       duration(Millis{10}, hours(1), to(&UplinkOptions::backoff_min))},
      {uplink, "backoff-max", "D", "30s", "longest pause before a new connect",
       duration(Millis{10}, hours(24), to(&UplinkOptions::backoff_max))},
      {uplink, "max-inflight", "N", "16", "messages on their way at once",
       integer(1, 1000, to(&UplinkOptions::max_inflight))},
      {uplink, "batch", "N", "50", "records a message at most (and at most 16 KiB)",
       integer(1, 1000, to(&UplinkOptions::batch))},
      {uplink, "delivery", "HOW", "broker", "who has to acknowledge a record: the broker, or a consumer (receipt)",
       apply_delivery},
      {uplink, "receipt-timeout", "D", "60s", "records are sent again when no receipt comes for so long",
       duration(Millis{100}, hours(24), to(&UplinkOptions::receipt_timeout))},

      {store, "store", "PATH", kDefaultStore, "the database; keeps what is not delivered yet",
       text(to(&StoreSettings::path))},
      {store, "store-max-size", "SIZE", "256MiB", "of all its files, at least 8MiB",
       parsed(parse_store_size, to(&StoreSettings::max_bytes))},
      {store, "keep-sent", "D", "30d", "how long delivered records stay",
       duration(Millis{0}, kLongestTime, to(&StoreSettings::keep_sent))},
      {store, "commit-every", "D", "1s", "how long a reading may wait for its commit",
       duration(Millis{0}, hours(1), to(&StoreSettings::commit_every))},

      {other, "control", "PATH", "/run/metergate/control", "local socket of the running agent",
       text(to(&Options::control))},
      {other, "http", "ADDR:PORT", "",
       "serves /metrics (Prometheus), /healthz and a status page; such as 127.0.0.1:9464",
       parsed(parse_listen_address, to(&Options::http))},
      {other, "http-token-file", "F", "", "holds the token that clients of --http have to give; needed beyond loopback",
       text(to(&Options::http_token_file))},
      {other, "trust-clock", "", "", "the clock is right without NTP (an RTC is fitted)",
       yes(to(&Options::trust_clock))},
      {other, "log-level", "LEVEL", "info", "error, warning, info or debug",
       choice(log_levels(), to(&Options::log_level))},
      {other, "log-format", "FORMAT", "text", "text or json", choice(log_formats(), to(&Options::log_format))},
      {other, "remote", "DIR", "",
       "lets the backend change the configuration, which is kept in DIR, and look at log and frames",
       parsed(parse_folder, to_remote(&RemoteOptions::dir))},
      {other, "remote-allow", "WHAT", "meters", "what it may change: meters, or all (the uplink, too)",
       choice<bool>({{"meters", false}, {"all", true}}, to_remote(&RemoteOptions::all))},
      {other, "remote-key", "F", "", "holds the Ed25519 public key (PEM) that changes from afar have to be signed with",
       text(to_remote(&RemoteOptions::key_file))},
      {"", "remote-candidate", "VERSION", "", "", text(to_remote(&RemoteOptions::candidate))},
      {other, "config", "FILE", "", "options, 'name = value' a line; environment and command line win over it", {}},
      {other, "help", "", "", "this text", {}},
      {other, "version", "", "", "the version", {}},
  };
}

std::vector<OptionInfo> read_options() {
  const std::string read = "What to read", scan = "Where to look", store = "What to export";
  return {
      {read, "unit", "N", "", "with one --bus: the meter's unit", parsed(parse_unit, to(&Invocation::unit)), kForRead},
      {read, "profile", "P", "", "and its profile", text(to(&Invocation::profile)), kForRead},
      {read, "table", "TABLE", "", "or raw: coil, discrete, input or holding", choice(tables(), to(&Invocation::table)),
       kForRead},
      {read, "address", "A", "", "with --table: zero-based, decimal or 0x; with --di: the DL/T 645 meter's",
       text(to(&Invocation::place)), kForRead},
      {read, "di", "ITEM", "", "with one --bus and --address: a data item, such as 00010000 (1997: 9010)",
       parsed(parse_data_item, to(&Invocation::item)), kForRead},
      {read, "count", "N", "1", "registers with --table, rounds with --all",
       integer(1, 1'000'000, to(&Invocation::repeat)), kForRead},
      {read, "all", "", "", "every meter, with error rates", yes(to(&Invocation::all)), kForRead},
      {read, "watch", "D", "", "again every D until interrupted",
       duration(Millis{100}, hours(24), to(&Invocation::watch)), kForRead},
      {"Pause", "for", "D", "30m", "how long, at most 8h", duration(Millis{1000}, hours(8), to(&Invocation::pause)),
       kForPause},
      {scan, "units", "UNITS", "1-247", "which units to ask, such as 1-32,40; the first 32 first",
       parsed(parse_units, to(&Invocation::units)), kForScan},
      {scan, "bauds", "BAUDS", "9600,19200", "how fast the line may be; first the --bus's own",
       parsed(parse_bauds, to(&Invocation::bauds)), kForScan},
      {scan, "modes", "MODES", "8N1,8E1", "with which modes; first the --bus's own",
       parsed(parse_modes, to(&Invocation::modes)), kForScan},
      {scan, "protocols", "PROTOCOLS", "modbus,dlt645", "which meters to look for; DL/T 645 needs a line",
       parsed(parse_protocols, to(&Invocation::protocols)), kForScan},
      {store, "from", "T", "", "records from this time on, such as 2026-11-22T10:00:00Z",
       parsed(parse_time, to(&Invocation::from)), kForStore},
      {store, "to", "T", "", "records up to this time", parsed(parse_time, to(&Invocation::to)), kForStore},
      {store, "format", "FORMAT", "",
       "of store: jsonl (the default; records as they were sent) or csv (a line a value); of trace: text (the "
       "default), jsonl or pcapng (for Wireshark)",
       apply_format, kForStore | kForTrace},
      {"Trace", "follow", "", "", "shows the frames that come, too, until it is interrupted",
       yes(to(&Invocation::follow)), kForTrace},
      {store, "lane", "LANE", "readings", "readings, results or events", choice(lanes(), to(&Invocation::lane)),
       kForStore},
      {"Broker", "broker", "", "", "also connects to each --upstream as the agent would; publishes and takes nothing",
       yes(to(&Invocation::broker)), kForCheck},
      {read, "json", "", "", "JSON lines instead of a table; of check with --broker what it found at the broker",
       yes(to(&Invocation::json)), kForRead | kForStore | kForCheck},
  };
}
// clang-format on

}  // namespace

UsageError refused(const Setting& setting, const std::string& detail) {
  const std::string what = setting.in_file ? setting.place + ": " + setting.option : setting.place;
  return UsageError{what + ": " + detail, setting.in_file ? kWrongFile : kWrongFlags};
}

const std::vector<OptionInfo>& option_table() {
  static const std::vector<OptionInfo> table = [] {
    std::vector<OptionInfo> all = read_options();
    for (OptionInfo& option : agent_options()) all.push_back(std::move(option));
    return all;
  }();
  return table;
}

const OptionInfo* find_option(const std::string& name) {
  const auto& table = option_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const OptionInfo& o) { return o.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string> option_names(Subcommands subcommands) {
  std::vector<std::string> names;
  for (const OptionInfo& option : option_table()) {
    if ((option.subcommands & subcommands) != 0 && !option.group.empty()) names.push_back(option.name);
  }
  return names;
}

std::string special_refusal(const std::string& option) {
  if (option == "password") return "a secret is never a flag's value; use --password-file";
  if (option == "http-token") return "a secret is never a flag's value; use --http-token-file";
  return "";
}

}  // namespace metergate
