#include "agent/config/option_rules.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "agent/config/option_parsers.h"
#include "agent/config/service_access.h"
#include "agent/config/spec.h"
#include "agent/config/spec_fields.h"

namespace metergate {

namespace {

using Refusal = std::optional<UsageError>;
using Subcommand = Invocation::Subcommand;

constexpr std::size_t kMostBuses = 256;
constexpr std::size_t kMostBrokers = 16;

UsageError wrong(const std::string& message) { return UsageError{message, kWrongFlags}; }

/// The status of a fault that lies in a SPEC at `place`.
UsageError wrong_at(const Place& place, const std::string& message) { return UsageError{message, status_of(place)}; }

/// Refuses a key that is there twice, with both places.
class Unique {
 public:
  explicit Unique(std::string what) : what_(std::move(what)) {}
  Refusal add(const std::string& key, const Place& place, const std::string& way_out) {
    const auto [found, fresh] = places_.emplace(key, place);
    if (fresh) return std::nullopt;
    return wrong_at(place,
                    what_ + " " + in_quotes(key) + " is there twice: " + found->second + " and " + place + way_out);
  }

 private:
  std::string what_;
  std::map<std::string, Place> places_;
};

Refusal check_names(const Options& options) {
  Unique buses("bus"), meters("meter");
  for (const BusSpec& bus : options.buses) {
    if (auto refusal = buses.add(bus.name, bus.place, "")) return refusal;
  }
  for (const MeterSpec& meter : options.meters) {
    if (auto refusal = meters.add(meter.id, meter.place, "")) return refusal;
  }
  std::map<std::string, Unique> polls;
  for (const PollSpec& poll : options.polls) {
    Unique& of_meter = polls.emplace(poll.meter, Unique("meter " + in_quotes(poll.meter) + ": poll")).first->second;
    if (auto refusal = of_meter.add(poll.name, poll.place, "; name=NAME tells them apart")) return refusal;
  }
  if (options.buses.size() > kMostBuses) {
    return wrong_at(options.buses[kMostBuses].place, std::to_string(options.buses.size()) + " buses; at most " +
                                                         std::to_string(kMostBuses) + " are possible");
  }
  return std::nullopt;
}

/// All of one scheme, each node once, or `stdout:` alone.
Refusal set_brokers(Options& options) {
  UplinkOptions& uplink = options.uplink;
  const UpstreamSpec& first = options.upstreams.front();
  uplink.to_stdout = first.upstream.to_stdout;
  uplink.tls = first.upstream.tls;
  Unique brokers("upstream");
  for (const UpstreamSpec& spec : options.upstreams) {
    const Upstream& upstream = spec.upstream;
    const std::string both = first.place + " and " + spec.place;
    if (&spec != &first && (upstream.to_stdout || uplink.to_stdout)) {
      return wrong_at(spec.place, both + ": stdout: stands alone; leave the other --upstream out");
    }
    if (upstream.tls != uplink.tls) {
      return wrong_at(spec.place, both + ": the nodes of one broker are all mqtt:// or all mqtts://");
    }
    if (upstream.to_stdout) continue;
    if (auto refusal = brokers.add(upstream.broker.text(), spec.place, "")) return refusal;
    uplink.brokers.push_back(upstream.broker);
  }
  if (uplink.brokers.size() > kMostBrokers) {
    return wrong_at(options.upstreams[kMostBrokers].place, std::to_string(uplink.brokers.size()) +
                                                               " upstreams; at most " + std::to_string(kMostBrokers) +
                                                               " are possible");
  }
  return std::nullopt;
}

Refusal check_uplink(OptionSources& sources) {
  Options& options = sources.invocation().options;
  UplinkOptions& uplink = options.uplink;
  if (!sources.given("upstream")) {
    return wrong(
        "--upstream is missing; such as --upstream mqtts://broker.example.com, or --upstream stdout: to try things "
        "out");
  }
  if (auto refusal = set_brokers(options)) return refusal;
  if (options.gateway.empty() && !uplink.to_stdout) {
    return wrong("--gateway-id is missing: 1 to 64 letters, digits, '_' or '-'; such as --gateway-id site-12");
  }
  if (uplink.client_id.empty() && !options.gateway.empty()) uplink.client_id = "metergate-" + options.gateway;
  if (uplink.to_stdout && uplink.receipts) {
    return wrong("--delivery receipt needs a broker: with stdout: a record is delivered when it is written");
  }
  if (uplink.backoff_max < uplink.backoff_min) return wrong("--backoff-max is shorter than --backoff-min");
  if (uplink.cert_file.empty() != uplink.key_file.empty())
    return wrong("--cert-file and --key-file go together; one is missing");
  if (!uplink.password_file.empty() && uplink.username.empty()) {
    return wrong("--password-file needs --username: MQTT 3.1.1 has no password without a user name");
  }
  for (const char* option : {"ca-file", "cert-file", "key-file"}) {
    if (!uplink.to_stdout && !uplink.tls && sources.given(option)) {
      return wrong("--" + std::string(option) + " needs mqtts://; over mqtt:// nothing is encrypted");
    }
  }
  return std::nullopt;
}

Refusal check_http(const Options& options) {
  if (!options.http) {
    if (options.http_token_file.empty()) return std::nullopt;
    return wrong("--http-token-file needs --http; such as --http 0.0.0.0:9464");
  }
  if (is_loopback(*options.http) || !options.http_token_file.empty()) return std::nullopt;
  return wrong("--http: " + in_quotes(options.http->host) +
               " can be reached from other machines, so it needs --http-token-file F; or use --http 127.0.0.1:" +
               std::to_string(options.http->port));
}

Refusal check_table(OptionSources& sources) {
  Invocation& invocation = sources.invocation();
  if (!invocation.table) {
    for (const char* option : {"address", "count"}) {
      if (sources.given(option))
        return wrong("--" + std::string(option) + " needs --table" + (option[0] == 'c' ? " or --all" : ""));
    }
    return std::nullopt;
  }
  if (sources.given("profile"))
    return wrong("--profile and --table do not go together: one reads points, the other raw registers");
  const auto address = parse_register_address(invocation.place);
  if (sources.given("address") && !address) return wrong("--address: " + address.error().detail);
  if (address) invocation.address = static_cast<std::uint16_t>(*address);
  if (!sources.given("address")) return wrong("--table needs --address; such as --table holding --address 0 --count 2");
  const int most = most_per_request(*invocation.table);
  if (invocation.repeat > most || invocation.address + invocation.repeat > kAddresses) {
    return wrong("--count: '" + std::to_string(invocation.repeat) + "' is not from 1 to " +
                 std::to_string(std::min(most, kAddresses - invocation.address)) +
                 ", all that one request can read at that address");
  }
  invocation.count = static_cast<std::uint16_t>(invocation.repeat);
  invocation.repeat = 1;
  return std::nullopt;
}

/// --bus SPEC --address DIGITS --di ITEM.
Refusal check_item(OptionSources& sources) {
  Invocation& invocation = sources.invocation();
  for (const char* option : {"unit", "profile", "table", "count", "all"}) {
    if (sources.given(option)) return wrong("--di and --" + std::string(option) + " do not go together");
  }
  if (!invocation.meter.empty()) return wrong("--di and a METER's id do not go together");
  if (invocation.options.buses.empty()) return wrong("--di needs the --bus that the meter is on");
  if (!is_meter_address(invocation.place)) {
    return wrong("--di needs the meter's --address, up to 12 digits; such as --address 000000000161");
  }
  invocation.bus = invocation.options.buses.back();
  return std::nullopt;
}

Refusal check_read(OptionSources& sources) {
  Invocation& invocation = sources.invocation();
  if (sources.words().size() == 1) invocation.meter = sources.words()[0];
  if (invocation.item) return check_item(sources);
  const bool by_unit = sources.given("unit");
  if (invocation.all + by_unit + !invocation.meter.empty() != 1) {
    return wrong("read wants one of: a METER's id, --bus SPEC with --unit N, or --all");
  }
  if (invocation.all) {
    for (const char* option : {"profile", "table", "address", "watch"}) {
      if (sources.given(option)) return wrong("--all and --" + std::string(option) + " do not go together");
    }
    return std::nullopt;
  }
  if (!by_unit && sources.given("profile"))
    return wrong("--profile goes with --bus and --unit; a METER has its own profile");
  if (by_unit && invocation.options.buses.empty()) return wrong("--unit needs the --bus that the meter is on");
  if (by_unit && !sources.given("profile") && !invocation.table) {
    return wrong("say what to read: --profile P, or --table holding --address A --count C");
  }
  if (by_unit) invocation.bus = invocation.options.buses.back();
  return check_table(sources);
}

Refusal check_scan(OptionSources& sources) {
  Invocation& invocation = sources.invocation();
  if (invocation.options.buses.empty()) {
    return wrong("scan needs a --bus, such as --bus name=line,device=/dev/ttyS1 (baud and mode may be left out)");
  }
  const bool serial = std::holds_alternative<SerialSettings>(invocation.options.buses.back().settings.port);
  for (const char* option : {"bauds", "modes"}) {
    if (!serial && sources.given(option)) return wrong("--" + std::string(option) + " has no meaning without device=");
  }
  for (int unit = 1; unit <= 247 && !sources.given("units"); ++unit) invocation.units.push_back(unit);
  const auto bad =
      std::find_if(invocation.units.begin(), invocation.units.end(), [](int unit) { return unit < 1 || unit > 247; });
  if (serial && bad != invocation.units.end()) {
    return wrong("--units: '" + std::to_string(*bad) + "' is not a unit: " + kUnitRange);
  }
  return std::nullopt;
}

Refusal check_store_words(OptionSources& sources) {
  Invocation& invocation = sources.invocation();
  invocation.text = sources.words().empty() ? "waiting" : sources.words()[0];
  const std::vector<std::string> known{"waiting", "drops", "dead", "commands", "export"};
  if (std::find(known.begin(), known.end(), invocation.text) == known.end()) {
    return wrong("store: " + not_one_of(invocation.text, known));
  }
  for (const char* option : {"from", "to", "format", "lane"}) {
    if (sources.given(option) && invocation.text != "export") {
      return wrong("--" + std::string(option) + " goes with 'store export' only");
    }
  }
  if (invocation.csv && invocation.lane != Lane::kReadings) {
    return wrong("--format csv is for readings; other lanes are written as jsonl");
  }
  return std::nullopt;
}

Refusal check_of_broker(const Invocation& invocation) {
  if (invocation.json && !invocation.broker) return wrong("--json of check goes with --broker only");
  if (invocation.broker && invocation.options.uplink.to_stdout) {
    return wrong("--broker needs a broker; with --upstream stdout: there is none");
  }
  return std::nullopt;
}

/// Root can read everything, so a `check` by root would not notice what the service's user cannot. What a person writes
/// on the command line is for that person; the service's flags stand in a file.
void warn_of_unreadable_paths(OptionSources& sources) {
  const auto access = UserAccess::of(kServiceUser);
  if (::geteuid() != 0 || !access) return;
  Options& options = sources.invocation().options;
  std::vector<UsedPath> paths{{"--store", options.store.path, true}};
  const auto add = [&](const char* option, const std::string& path) {
    if (sources.given_in_file(option)) paths.push_back({"--" + std::string(option), path});
  };
  add("password-file", options.uplink.password_file);
  add("ca-file", options.uplink.ca_file);
  add("cert-file", options.uplink.cert_file);
  add("key-file", options.uplink.key_file);
  add("http-token-file", options.http_token_file);
  for (const std::string& folder : options.profile_dirs) add("profile-dir", folder);
  for (std::string& warning : access_warnings(*access, paths)) {
    sources.invocation().warnings.push_back(std::move(warning));
  }
}

Refusal check_words(const OptionSources& sources, Subcommand subcommand) {
  const std::size_t most =
      subcommand == Subcommand::kRun || subcommand == Subcommand::kCheck || subcommand == Subcommand::kScan ? 0 : 1;
  if (sources.words().size() <= most) return std::nullopt;
  return wrong(in_quotes(sources.words()[most]) +
               " is one word too many; options start with '--', files of options with '@'");
}

}  // namespace

int status_of(const Place& place) {
  const bool flag = place.compare(0, 2, "--") == 0 || place.compare(0, 10, "METERGATE_") == 0;
  return flag ? kWrongFlags : kWrongFile;
}

std::optional<UsageError> complete(OptionSources& sources) {
  const Subcommand subcommand = sources.invocation().subcommand;
  if (auto refusal = check_words(sources, subcommand)) return refusal;
  const bool of_bus =
      subcommand == Subcommand::kPause || subcommand == Subcommand::kResume || subcommand == Subcommand::kTrace;
  if (of_bus) {
    if (sources.words().empty()) {
      const std::string name = subcommand == Subcommand::kPause    ? "pause"
                               : subcommand == Subcommand::kResume ? "resume"
                                                                   : "trace";
      return wrong("the bus is missing; write metergate " + name + " BUS");
    }
    sources.invocation().text = sources.words()[0];
    return std::nullopt;
  }
  if (subcommand == Subcommand::kSign) {
    if (sources.words().empty()) return wrong("the key is missing; write metergate sign KEYFILE < OPERATION");
    sources.invocation().text = sources.words()[0];
    return std::nullopt;
  }
  if (subcommand == Subcommand::kStore) return check_store_words(sources);
  if (subcommand == Subcommand::kProfiles) {
    if (!sources.words().empty()) sources.invocation().text = sources.words()[0];
    return std::nullopt;
  }
  if (subcommand == Subcommand::kScan) return check_scan(sources);
  for (const char* option : {"remote-allow", "remote-key"}) {
    if (sources.given(option) && !sources.given("remote")) {
      return wrong("--" + std::string(option) + " needs --remote DIR; such as --remote /var/lib/metergate/remote");
    }
  }
  if (auto refusal = check_names(sources.invocation().options)) return refusal;
  sources.invocation().options.store.gateway = sources.invocation().options.gateway;
  if (subcommand == Subcommand::kRead) return check_read(sources);
  if (auto refusal = check_uplink(sources)) return refusal;
  if (subcommand == Subcommand::kCheck) {
    if (auto refusal = check_of_broker(sources.invocation())) return refusal;
    warn_of_unreadable_paths(sources);
  }
  return check_http(sources.invocation().options);
}

}  // namespace metergate
