#include "tests/sim/options.h"

#include <algorithm>

#include "tests/sim/text.h"

namespace metersim {
namespace {

struct Range {
  std::vector<Table> tables;
  std::uint16_t first, last;
};

/// `1-10` or `5`.
std::pair<int, int> parse_range(const std::string& text, int most, const std::string& what) {
  const auto parts = split(text, '-');
  const auto first = whole_number(parts[0], 0, most, what);
  const auto last = parts.size() > 1 ? whole_number(parts[1], first, most, what) : first;
  return {static_cast<int>(first), static_cast<int>(last)};
}

Range parse_registers(const std::string& text) {
  const auto colon = text.find(':');
  const auto [first, last] =
      parse_range(colon == std::string::npos ? text : text.substr(colon + 1), 65535, "--registers");
  Range range{{}, static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
  if (colon == std::string::npos)
    range.tables = {Table::kCoil, Table::kDiscrete, Table::kInput, Table::kHolding};
  else
    range.tables = {parse_table(text.substr(0, colon))};
  return range;
}

/// Flags as they were written, until all are known: their order does not matter.
class Flags {
 public:
  explicit Flags(const std::vector<std::string>& arguments) {
    static const std::vector<std::string> kSwitches = {"--help",       "--lenient",   "--late-drop",
                                                       "--log-values", "--heed-baud", "--die-with-parent"};
    static const std::vector<std::string> kNames = {
        "--pty",  "--tcp",   "--tcp-endpoints", "--rtu-tcp", "--baud",    "--mode",
        "--fifo", "--meter", "--meters",        "--values",  "--counter", "--registers",
        "--turn", "--log",   "--stats",         "--control", "--fault",   "--replay"};
    const auto known = [](const auto& list, const std::string& name) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::string& name = arguments[i];
      if (known(kSwitches, name))
        values_[name].push_back("yes");
      else if (!known(kNames, name))
        throw Refused("'" + name + "' is no flag (see --help)");
      else if (++i == arguments.size())
        throw Refused(name + " wants a value");
      else
        values_[name].push_back(arguments[i]);
    }
  }

  bool has(const std::string& name) const { return values_.count(name) != 0; }
  std::vector<std::string> all(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>{} : found->second;
  }
  std::string last(const std::string& name, const std::string& otherwise = "") const {
    return has(name) ? all(name).back() : otherwise;
  }
  int number(const std::string& name, int otherwise, int most) const {
    return has(name) ? static_cast<int>(whole_number(last(name), 1, most, name)) : otherwise;
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

void add_meter(Options& options, Meter meter) {
  const int unit = meter.settings().unit;
  if (!options.meters.emplace(unit, std::move(meter)).second) throw Refused("unit " + std::to_string(unit) + " twice");
}

Meter profile_meter(const std::string& spec, Nanos turn) {
  MeterSettings settings;
  settings.turn = turn;
  std::string profile;
  bool holes = true;
  for (const auto& part : split(spec, ',')) {
    const auto [key, value] = key_value(part);
    if (key == "unit")
      settings.unit = static_cast<int>(whole_number(value, 1, 255, "unit"));
    else if (key == "profile")
      profile = value;
    else if (key == "turn")
      settings.turn = duration(value);
    else if (key == "holes")
      holes = value != "no";
    else if (key == "align")
      settings.align = value == "yes";
    else
      throw Refused("--meter: '" + key + "' is none of unit, profile, turn, holes, align");
  }
  const ProfileFile file = read_profile(profile);
  settings.max_registers = static_cast<int>(whole_number(file.key("max_registers", "125"), 1, 125, "max_registers"));
  if (!holes)
    settings.hole = 0;
  else if (const auto hole = file.key("hole"); !hole.empty())
    settings.hole = static_cast<int>(whole_number(hole, 0, 65535, "hole"));
  Meter meter(settings);
  try {
    meter.load(file);
  } catch (const Refused& why) {
    throw Refused(profile + ": " + why.what());
  }
  return meter;
}

constexpr int kFirstItemMeter = 1000;
constexpr std::size_t kAddressDigits = 12;

bool is_item_meter(const std::string& spec) {
  const auto parts = split(spec, ',');
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) { return key_value(part).first == "address"; });
}

ItemMeter item_meter(const std::string& spec, Nanos turn, int number) {
  ItemMeterSettings settings;
  settings.number = number;
  settings.turn = turn;
  std::string profile;
  for (const auto& part : split(spec, ',')) {
    const auto [key, value] = key_value(part);
    if (key == "address")
      settings.address = value;
    else if (key == "profile")
      profile = value;
    else if (key == "turn")
      settings.turn = duration(value);
    else if (key == "fe")
      settings.preamble = static_cast<int>(whole_number(value, 0, 20, "fe"));
    else if (key == "blocks")
      settings.blocks = value != "no";
    else if (key == "parts")
      settings.part_bytes = static_cast<int>(whole_number(value, 1, 200, "parts"));
    else if (key == "bit5")
      settings.bit5 = value == "yes";
    else if (key == "password")
      settings.password = value;
    else if (key == "stuck")
      settings.relay_stuck = value == "yes";
    else if (key == "skew")
      settings.skew = static_cast<double>(whole_number(value, -86'400, 86'400, "skew"));
    else
      throw Refused("--meter: '" + key +
                    "' is none of address, profile, turn, fe, blocks, parts, bit5, skew, password, stuck");
  }
  const bool digits = settings.address.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || settings.address.empty() || settings.address.size() > kAddressDigits)
    throw Refused("--meter: address '" + settings.address + "' is not 1 to 12 digits");
  settings.address.insert(0, kAddressDigits - settings.address.size(), '0');
  try {
    return {settings, read_profile(profile)};
  } catch (const Refused& why) {
    throw Refused(profile + ": " + why.what());
  }
}

Meter plain_meter(int unit, Nanos turn, const std::string& values, const std::vector<Range>& ranges) {
  MeterSettings settings;
  settings.unit = unit;
  settings.turn = turn;
  settings.hole = 0;
  Meter meter(settings);
  for (const auto& range : ranges)
    for (const Table table : range.tables)
      for (unsigned at = range.first; at <= range.last; ++at)
        meter.add_register(
            table, static_cast<std::uint16_t>(at),
            static_cast<std::uint16_t>(values == "unit" ? 256U * static_cast<unsigned>(unit) + (at & 0xFFU) : at));
  return meter;
}

void add_meters(Options& options, const Flags& flags) {
  const Nanos turn = duration(flags.last("--turn", "0"));
  for (const auto& spec : flags.all("--meter")) {
    if (is_item_meter(spec)) {
      const int number = kFirstItemMeter + static_cast<int>(options.item_meters.size());
      options.item_meters.push_back(item_meter(spec, turn, number));
    } else {
      add_meter(options, profile_meter(spec, turn));
    }
  }

  const std::string values = flags.last("--values", "address");
  if (values != "address" && values != "unit" && values != "counter" && values != "profile")
    throw Refused("--values '" + values + "' is none of address, unit, counter, profile");
  std::vector<Range> ranges;
  for (const auto& text : flags.all("--registers")) ranges.push_back(parse_registers(text));
  if (ranges.empty()) ranges.push_back(parse_registers("0-199"));
  for (const auto& text : flags.all("--meters")) {
    const auto [first, last] = parse_range(text, 255, "--meters");
    for (int unit = first; unit <= last; ++unit) add_meter(options, plain_meter(unit, turn, values, ranges));
  }
  if (options.meters.empty() && options.item_meters.empty() && !flags.has("--replay")) {
    throw Refused("no meter: give --meter, --meters or --replay");
  }

  const std::string counter = flags.last("--counter", values == "counter" ? "holding:0" : "");
  if (counter.empty()) return;
  const auto parts = split(counter, ':');
  if (parts.size() != 2) throw Refused("--counter '" + counter + "' is no TABLE:ADDRESS");
  const auto address = static_cast<std::uint16_t>(whole_number(parts[1], 0, 65534, "--counter"));
  for (auto& [unit, meter] : options.meters) meter.set_counter(parse_table(parts[0]), address);
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
  const Flags flags(arguments);
  Options options;
  options.help = flags.has("--help");
  if (options.help) return options;
  options.ptys = flags.all("--pty");
  for (const auto& text : flags.all("--tcp")) {
    const auto first = static_cast<int>(whole_number(text, 0, 65535, "--tcp"));
    for (int i = 0; i < flags.number("--tcp-endpoints", 1, 256); ++i)
      options.tcp_ports.push_back(first == 0 ? 0 : first + i);
  }
  for (const auto& text : flags.all("--rtu-tcp"))
    options.rtu_tcp_ports.push_back(static_cast<int>(whole_number(text, 0, 65535, "--rtu-tcp")));
  if (options.ptys.empty() && options.tcp_ports.empty() && options.rtu_tcp_ports.empty())
    throw Refused("no line: give --pty, --tcp or --rtu-tcp");
  if (flags.has("--baud"))
    options.timing = LineTiming::of(flags.number("--baud", 0, 4000000), flags.last("--mode", "8N1"));
  else if (!options.ptys.empty())
    throw Refused("--pty needs --baud");
  if (flags.has("--heed-baud")) options.timing.heeded_baud = flags.number("--baud", 0, 4000000);
  if (flags.has("--lenient")) options.timing.strict = false;
  options.timing.late_drop = flags.has("--late-drop");
  options.timing.fifo = static_cast<std::size_t>(flags.number("--fifo", 1, 4096));
  add_meters(options, flags);
  options.replay = flags.last("--replay");
  options.log = flags.last("--log");
  options.log_values = flags.has("--log-values");
  options.stats = flags.last("--stats");
  options.control = flags.last("--control");
  options.die_with_parent = flags.has("--die-with-parent");
  options.faults = flags.all("--fault");
  return options;
}

}  // namespace metersim
