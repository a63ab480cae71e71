#include "agent/commands/read_all.h"

#include <algorithm>

#include "agent/commands/read_meter.h"
#include "agent/json.h"
#include "agent/table.h"

namespace metergate {

namespace {

/// Of one meter's requests.
struct Tally {
  std::int64_t requests = 0, answers = 0, timeouts = 0, crc = 0, garbled = 0, exceptions = 0, bus_down = 0;
  Micros total{0}, longest{0};  // of the answers

  std::int64_t errors() const { return requests - answers; }
};

void count(const Result<Words>& words, Micros took, Tally& tally) {
  ++tally.requests;
  if (words) {
    ++tally.answers;
    tally.total += took;
    tally.longest = std::max(tally.longest, took);
    return;
  }
  switch (words.error().code) {
    case Errc::kTimeout:
      ++tally.timeouts;
      break;
    case Errc::kCrc:
      ++tally.crc;
      break;
    case Errc::kGarbled:
      ++tally.garbled;
      break;
    case Errc::kException:
      ++tally.exceptions;
      break;
    default:
      ++tally.bus_down;
  }
}

/// One round of one meter; ends at the first request that shows that more would not be answered.
void read_round(Bus& bus, const ReadTarget& target, std::size_t meter, const Clock& clock, Tally& tally) {
  const MeterSetup& setup = target.setup.meters[meter];
  for (const Block& block : plan_blocks(*setup.profile, target.setup.polls[meter].points, setup.cost)) {
    const MonoTime began = clock.mono();
    const Result<Words> words = bus.read(setup.target, block);
    count(words, std::chrono::duration_cast<Micros>(clock.mono() - began), tally);
    if (!words && (words.error().code == Errc::kBusDown || words.error().code == Errc::kTimeout)) return;
  }
}

/// True when every meter answered.
bool read_bus(const ReadTarget& target, int rounds, std::vector<Tally>& tallies, std::ostream& err,
              const ReadTools& tools) {
  const auto bus = tools.make_bus(target.setup.spec.settings);
  tallies.resize(target.setup.meters.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t meter = 0; meter < tallies.size(); ++meter) {
      if (!bus->is_open()) {
        if (const Status opened = bus->open(); !opened) {
          err << "metergate: " << explain_port(target.setup.spec, opened.error()) << "\n";
          return false;
        }
      }
      read_round(*bus, target, meter, tools.clock, tallies[meter]);
    }
  }
  return std::all_of(tallies.begin(), tallies.end(),
                     [](const Tally& t) { return t.requests == 0 || t.answers + t.exceptions > 0; });
}

std::string percent(std::int64_t part, std::int64_t all) {
  if (all == 0) return "-";
  const std::int64_t hundredths = (part * 10000 + all / 2) / all;
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (fraction.size() < 2 ? "0" : "") + fraction;
}

std::string ms(Micros time, std::int64_t share) {
  return share == 0 ? "-" : std::to_string(time.count() / share / 1000);
}

void print_json(const BusSetup& bus, const MeterSetup& meter, const Tally& t, std::ostream& out) {
  JsonWriter json;
  json.begin_object().member("meter", meter.spec.id).member("bus", bus.spec.name).member("unit", meter.spec.unit);
  json.member("requests", t.requests).member("answers", t.answers).member("timeouts", t.timeouts).member("crc", t.crc);
  json.member("garbled", t.garbled).member("exceptions", t.exceptions).member("bus_down", t.bus_down);
  if (t.answers > 0) json.member("mean_us", t.total.count() / t.answers).member("longest_us", t.longest.count());
  out << json.end_object().take() << std::endl;
}

}  // namespace

int read_all(const Setup& setup, int rounds, bool json, std::ostream& out, std::ostream& err, const ReadTools& tools) {
  TextTable table({"METER", "BUS", "UNIT", "REQUESTS", "ERRORS", "%", "TIMEOUT", "CRC", "GARBLED", "EXCEPTION",
                   "MEAN MS", "MAX MS"},
                  {2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  bool reached = true;
  for (const BusSetup& bus : setup.buses) {
    if (bus.meters.empty()) continue;
    const ReadTarget target(bus);
    std::vector<Tally> tallies;
    reached = read_bus(target, rounds, tallies, err, tools) && reached;
    for (std::size_t i = 0; i < tallies.size(); ++i) {
      const Tally& t = tallies[i];
      const MeterSetup& meter = bus.meters[i];
      if (json) print_json(bus, meter, t, out);
      table.add({meter.spec.id, bus.spec.name, meter.target.address, std::to_string(t.requests),
                 std::to_string(t.errors()), percent(t.errors(), t.requests), std::to_string(t.timeouts),
                 std::to_string(t.crc), std::to_string(t.garbled), std::to_string(t.exceptions), ms(t.total, t.answers),
                 ms(t.longest, t.answers > 0 ? 1 : 0)});
    }
  }
  if (!json) table.print(out);
  return reached ? 0 : kUnreachable;
}

}  // namespace metergate
