#include "agent/config/site.h"

#include <algorithm>
#include <map>
#include <optional>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/config/bus_description.h"
#include "agent/config/meter_password.h"
#include "agent/config/spec.h"

namespace metergate {

namespace {

using Refusal = std::optional<UsageError>;

constexpr int kFirstSerialUnit = 1;
constexpr int kLastSerialUnit = 247;

UsageError wrong(const Place& place, const std::string& detail) {
  return UsageError{place + ": " + detail, status_of(place)};
}

std::variant<std::vector<const Point*>, UsageError> select_points(const Profile& profile,
                                                                  const std::vector<std::string>& patterns,
                                                                  const Place& place) {
  auto points = matching_points(profile, patterns);
  for (const std::string& pattern : patterns) {
    const auto matches = [&pattern](const Point* point) { return glob_match(pattern, point->name); };
    if (std::any_of(points.begin(), points.end(), matches)) continue;
    return wrong(place, "points: profile " + in_quotes(profile.name) + " has no point " + in_quotes(pattern) +
                            hint(pattern, profile.point_names()) + "; 'metergate profiles " + profile.name +
                            "' shows them");
  }
  return points;
}

class SiteBuilder {
 public:
  SiteBuilder(const Options& options, Site& site) : options_(options), site_(site) {}

  Refusal make() {
    for (const BusSpec& bus : options_.buses) {
      if (auto refusal = add(bus)) return refusal;
    }
    for (const MeterSpec& meter : options_.meters) {
      if (auto refusal = add(meter)) return refusal;
    }
    for (const PollSpec& poll : options_.polls) {
      if (auto refusal = add(poll)) return refusal;
    }
    for (BusConfig& bus : site_.buses) {
      std::stable_sort(bus.polls.begin(), bus.polls.end(),
                       [](const PollConfig& a, const PollConfig& b) { return a.meter < b.meter; });
    }
    return std::nullopt;
  }

 private:
  /// Two buses on one line would be two masters on it. Only Modbus TCP knows several connections.
  Refusal add(const BusSpec& spec) {
    const std::string port = port_key(spec.settings), real = real_port(port);
    for (std::size_t i = 0; i < site_.buses.size(); ++i) {
      if (ports_[i] != real) continue;
      const BusConfig& other = site_.buses[i];
      const std::string others = port_key(other.spec.settings);
      const auto* tcp = std::get_if<TcpSettings>(&spec.settings.port);
      const auto* other_tcp = std::get_if<TcpSettings>(&other.spec.settings.port);
      if (!tcp || !other_tcp || tcp->rtu || other_tcp->rtu) {
        return wrong(spec.place, "bus " + in_quotes(spec.name) + " and bus " + in_quotes(other.spec.name) + " (" +
                                     other.spec.place + ") both use " + port +
                                     (others == port ? "" : " (" + others + " is the same device)") +
                                     "; a line has one bus, with all its meters on it");
      }
      site_.warnings.push_back("buses " + in_quotes(other.spec.name) + " and " + in_quotes(spec.name) +
                               " both connect to " + port);
    }
    names_.push_back(spec.name);
    ports_.push_back(real);
    site_.buses.push_back({spec, {}, {}});
    return std::nullopt;
  }

  Refusal add(const MeterSpec& spec) {
    const auto name = std::find(names_.begin(), names_.end(), spec.bus);
    if (name == names_.end()) {
      return wrong(spec.place, "meter " + in_quotes(spec.id) + " is on bus " + in_quotes(spec.bus) +
                                   ", which no --bus defines" + hint(spec.bus, names_));
    }
    const auto index = static_cast<std::size_t>(name - names_.begin());
    BusConfig& bus = site_.buses[index];
    MeterConfig meter;
    meter.spec = spec;
    meter.profile = site_.profiles.find(spec.profile);
    if (!meter.profile) {
      return wrong(spec.place, "there is no profile " + in_quotes(spec.profile) +
                                   hint(spec.profile, site_.profiles.names()) + "; 'metergate profiles' lists them");
    }
    if (auto refusal = meter.profile->family == Family::kModbus ? check_unit(spec, bus) : set_address(meter, bus)) {
      return refusal;
    }
    if (auto refusal = check_alone(meter.spec, bus)) return refusal;
    if (auto refusal = set_ratios(meter)) return refusal;
    if (auto refusal = set_target(meter, bus)) return refusal;
    const bool writable = std::any_of(meter.profile->points.begin(), meter.profile->points.end(),
                                      [](const Point& point) { return point.write.has_value(); });
    if (spec.writable && !writable) {
      return wrong(spec.place,
                   "writable=yes, but profile " + in_quotes(spec.profile) + " has no point that can be written");
    }
    auto points = select_points(*meter.profile, spec.points, spec.place);
    if (auto* error = std::get_if<UsageError>(&points)) return *error;
    meter_at_[spec.id] = {index, bus.meters.size()};
    ids_.push_back(spec.id);
    bus.meters.push_back(std::move(meter));
    return std::nullopt;
  }

  static Refusal check_unit(const MeterSpec& spec, const BusConfig& bus) {
    if (!spec.password_file.empty()) return wrong(spec.place, "password-file has no meaning for a Modbus meter");
    if (spec.utc_offset) return wrong(spec.place, "utc-offset has no meaning for a Modbus meter");
    if (!spec.address.empty()) {
      return wrong(spec.place, "address: profile " + in_quotes(spec.profile) + " is Modbus, its meters have unit=");
    }
    const auto* tcp = std::get_if<TcpSettings>(&bus.spec.settings.port);
    const bool any = tcp && !tcp->rtu;
    if (!any && (spec.unit < kFirstSerialUnit || spec.unit > kLastSerialUnit)) {
      return wrong(spec.place, "unit: '" + std::to_string(spec.unit) + "' is not a unit: " + kUnitRange);
    }
    return std::nullopt;
  }

  /// Of a meter that has no unit. Its address with all its digits.
  static Refusal set_address(MeterConfig& meter, const BusConfig& bus) {
    MeterSpec& spec = meter.spec;
    const std::string protocol = protocol_name(meter.profile->family);
    if (spec.address.empty()) {
      return wrong(spec.place, "unit: profile " + in_quotes(spec.profile) + " speaks " + protocol +
                                   ", whose meters have address=, the " + std::to_string(kAddressDigits) +
                                   " digits that stand on them");
    }
    if (!is_rtu(bus.spec.settings)) {
      return wrong(spec.place,
                   "bus " + in_quotes(spec.bus) + " is Modbus TCP; " + protocol + " needs device= or rtu-over-tcp=");
    }
    if (spec.max_registers) return wrong(spec.place, "max-registers has no meaning with " + protocol);
    spec.address.insert(0, kAddressDigits - spec.address.size(), '0');
    if (spec.address.find_first_not_of('9') == std::string::npos) {
      return wrong(spec.place, "address: " + in_quotes(spec.address) + " is that of all meters, which none answers");
    }
    return std::nullopt;
  }

  /// Two meters of one unit or address on a bus.
  Refusal check_alone(const MeterSpec& spec, const BusConfig& bus) {
    for (const MeterConfig& other : bus.meters) {
      if (other.spec.unit != spec.unit || other.spec.address != spec.address) continue;
      const std::string both = "meters " + in_quotes(other.spec.id) + " and " + in_quotes(spec.id) + " are both " +
                               describe_place(spec) + " on bus " + in_quotes(spec.bus);
      if (other.spec.profile == spec.profile) {
        return wrong(spec.place, both + " with profile " + in_quotes(spec.profile) +
                                     "; a further schedule of a meter is a --poll (" + other.spec.place + ")");
      }
      site_.warnings.push_back(both + ", with different profiles");
    }
    return std::nullopt;
  }

  Refusal set_ratios(MeterConfig& meter) {
    const struct {
      const char* key;
      const std::string& text;
      std::optional<Decimal>& ratio;
      Ratio alone;
    } ratios[] = {{"ct", meter.spec.ct, meter.ratios.ct, Ratio::kCt},
                  {"pt", meter.spec.pt, meter.ratios.pt, Ratio::kPt}};
    for (const auto& [key, text, ratio, alone] : ratios) {
      const Ratio kind = alone;
      const auto uses = [kind](const Point& point) { return point.ratio == kind || point.ratio == Ratio::kCtPt; };
      const bool used = std::any_of(meter.profile->points.begin(), meter.profile->points.end(), uses);
      const std::string who = "meter " + in_quotes(meter.spec.id) + ": ";
      if (text.empty()) {
        if (used)
          site_.warnings.push_back(who + "profile " + in_quotes(meter.profile->name) + " needs " + key +
                                   "=; points without it fail as no_ratio");
        continue;
      }
      const auto parsed = parse_ratio(text);
      if (!parsed) return wrong(meter.spec.place, std::string(key) + ": " + parsed.error().detail);
      ratio = *parsed;
      if (!used)
        site_.warnings.push_back(who + key + "= changes nothing: profile " + in_quotes(meter.profile->name) +
                                 " gives primary values");
    }
    return std::nullopt;
  }

  /// LEVEL PASSWORD [OPERATOR], for whoever may write the meter.
  static Refusal set_password(MeterConfig& meter) {
    const MeterSpec& spec = meter.spec;
    const auto needs_it = [](const Point& point) { return point.write && point.write->form == Write::Form::kRelay; };
    const bool used = std::any_of(meter.profile->points.begin(), meter.profile->points.end(), needs_it);
    if (spec.password_file.empty()) {
      if (!used || !spec.writable) return std::nullopt;
      return wrong(spec.place, "writable=yes: profile " + in_quotes(spec.profile) +
                                   " needs password-file=, a file with LEVEL PASSWORD [OPERATOR]");
    }
    if (!spec.writable) return wrong(spec.place, "password-file goes with writable=yes");
    auto password = read_password(spec.password_file);
    if (!password) return UsageError{spec.place + ": password-file: " + password.error().detail, kWrongFile};
    if (password->level > meter.profile->password_level) {
      return wrong(spec.place, "password-file: level " + std::to_string(password->level) + ", but profile " +
                                   in_quotes(spec.profile) + " needs level " +
                                   std::to_string(meter.profile->password_level) + " or a mightier, lower one");
    }
    meter.target.password = std::move(*password);
    return std::nullopt;
  }

  static Refusal set_line(const MeterSpec& spec, const BusConfig& bus, Target& target) {
    if (!spec.baud && spec.mode.empty()) return std::nullopt;
    const auto* const serial = std::get_if<SerialSettings>(&bus.spec.settings.port);
    if (serial == nullptr) {
      return wrong(spec.place, std::string(spec.baud ? "baud" : "mode") + " has no meaning over TCP: bus " +
                                   in_quotes(bus.spec.name) + " is no serial line of this machine");
    }
    LineMode line = *serial;
    if (spec.baud) line.baud = *spec.baud;
    if (!spec.mode.empty()) set_mode(spec.mode, &line);
    if (!(line == *serial)) target.line = line;
    return std::nullopt;
  }

  Refusal set_target(MeterConfig& meter, const BusConfig& bus) {
    const MeterSpec& spec = meter.spec;
    meter.target.address = spec.address.empty() ? std::to_string(spec.unit) : spec.address;
    meter.target.family = meter.profile->family;
    meter.target.preamble = meter.profile->preamble;
    meter.target.utc_offset = spec.utc_offset;
    if (auto refusal = set_password(meter)) return refusal;
    meter.target.timeout = spec.timeout;
    meter.target.gap = std::max(spec.gap, meter.profile->pause);
    meter.target.max_registers =
        std::min(spec.max_registers.value_or(meter.profile->max_registers), meter.profile->max_registers);
    meter.retries = spec.retries.value_or(bus.spec.retries);
    if (auto refusal = set_line(spec, bus, meter.target)) return refusal;
    meter.cost = plan_cost(bus.spec.settings, meter.target, assumed_turnaround(bus.spec.settings, meter.target.family));
    for (const Point& point : meter.profile->points) {
      if (is_bits(point.table) || point.registers <= meter.target.max_registers) continue;
      return wrong(spec.place, "max-registers: '" + std::to_string(meter.target.max_registers) + "' is less than the " +
                                   std::to_string(point.registers) + " registers of " + in_quotes(point.name) +
                                   ", which one request has to read");
    }
    return std::nullopt;
  }

  Refusal add(const PollSpec& spec) {
    const auto found = meter_at_.find(spec.meter);
    if (found == meter_at_.end()) {
      return wrong(spec.place, "there is no meter " + in_quotes(spec.meter) + hint(spec.meter, ids_));
    }
    BusConfig& bus = site_.buses[found->second.first];
    const MeterConfig& meter = bus.meters[found->second.second];
    if (meter.profile->points.empty()) {
      return wrong(spec.place,
                   "profile " + in_quotes(meter.profile->name) + " has no points to poll; leave every= out");
    }
    auto points = select_points(*meter.profile, spec.points, spec.place);
    if (auto* error = std::get_if<UsageError>(&points)) return *error;
    bus.polls.push_back({found->second.second, spec.name, spec.every, std::get<0>(std::move(points)), spec.keep_high});
    return std::nullopt;
  }

  const Options& options_;
  Site& site_;
  std::vector<std::string> names_;  // of the buses, by index
  std::vector<std::string> ports_;  // likewise, real_port
  std::vector<std::string> ids_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> meter_at_;  // bus and meter index
};

}  // namespace

std::optional<std::string> clock_warning(const Site& site, const Clock& clock) {
  if (clock.synced()) return std::nullopt;
  for (const BusConfig& bus : site.buses) {
    for (const MeterConfig& meter : bus.meters) {
      if (meter.spec.writable) {
        return "the clock is not synchronised: writes wait up to 5 min for it, then they are rejected; run an NTP "
               "client, or "
               "give --trust-clock where a battery-backed clock is right";
      }
    }
  }
  return std::nullopt;
}

std::vector<const Point*> matching_points(const Profile& profile, const std::vector<std::string>& patterns) {
  std::vector<const Point*> points;
  for (const Point& point : profile.points) {
    const auto matches = [&point](const std::string& pattern) { return glob_match(pattern, point.name); };
    if (patterns.empty() || std::any_of(patterns.begin(), patterns.end(), matches)) points.push_back(&point);
  }
  return points;
}

std::variant<Site, UsageError> make_site(const Options& options) {
  auto profiles = ProfileLibrary::load(options.profile_dirs);
  if (!profiles) return UsageError{profiles.error().detail, kWrongFile};
  Site site;
  site.profiles = std::move(*profiles);
  if (auto refusal = SiteBuilder(options, site).make()) return std::move(*refusal);
  site.remote = !options.remote.dir.empty();
  std::string all = options.settings;
  for (const BusConfig& bus : site.buses) {
    for (const MeterConfig& meter : bus.meters) all += meter.profile->digest;
  }
  site.config = fnv1a_hex(all);
  return site;
}

}  // namespace metergate
