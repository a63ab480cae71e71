#include "agent/cli/read_all.h"

#include <algorithm>

#include "agent/base/json.h"
#include "agent/cli/bus_reader.h"
#include "agent/cli/read_hints.h"
#include "agent/cli/read_meter.h"
#include "agent/cli/subcommands.h"
#include "agent/cli/text_table.h"
#include "agent/protocol/catalog.h"
#include "drivers/line/wire_time.h"

namespace metergate {

namespace {

constexpr std::size_t kSamples = 100'000;  // of turnarounds, the newest
constexpr const char* kSerial = "serial_number";
constexpr const char* kImport = "active_energy_import";

/// What is known of one meter so far.
struct Sheet {
  Symptoms symptoms;
  std::vector<Micros> turnarounds;  // from the request's end to the answer's begin
  RegisterImage image;

  bool failed() const { return symptoms.answers == 0; }
};

/// Its points, its serial number and its import counter.
std::vector<const Point*> points_of(const ReadTarget& target, std::size_t meter) {
  std::vector<const Point*> points = target.config.polls[meter].points;
  for (const char* name : {kSerial, kImport}) {
    const Point* point = target.config.meters[meter].profile->find(name);
    if (point && std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
  }
  return points;
}

/// One round of one meter; ends at the first request that shows that more would not be answered.
void read_round(BusReader& line, const BusConfig& bus, const MeterConfig& site, const std::vector<const Point*>& points,
                Sheet& sheet) {
  for (const Block& block : plan_blocks(*site.profile, points, site.cost)) {
    const BusReader::Answer answer = line.read(site.target, block);
    sheet.symptoms.count(answer.words, block);
    if (answer.words) {
      const Micros turnaround = std::max(Micros{0}, answer.took - read_time(bus.spec.settings, site.target, block));
      if (sheet.turnarounds.size() < kSamples) sheet.turnarounds.emplace_back();
      sheet.turnarounds[static_cast<std::size_t>(sheet.symptoms.answers - 1) % kSamples] = turnaround;
      sheet.image.put(block, *answer.words);
      continue;
    }
    const Errc code = answer.words.error().code;
    if (code == Errc::kBusDown || code == Errc::kPaused || code == Errc::kTimeout) return;
  }
}

/// False when its port could not be had.
bool read_bus(const ReadTarget& target, int rounds, std::vector<Sheet>& sheets, std::ostream& err,
              const BusTools& tools) {
  sheets.resize(target.config.meters.size());
  const auto line = reader_of(target.config.spec, tools, err);
  if (!line) {
    err << "metergate: " << explain_port(target.config.spec, line.error()) << "\n";
    return false;
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t meter = 0; meter < sheets.size(); ++meter) {
      if (tools.stopped()) return true;
      if (!(*line)->is_open()) {
        if (const Status opened = (*line)->open(); !opened) {
          err << "metergate: " << explain_port(target.config.spec, opened.error()) << "\n";
          return false;
        }
      }
      read_round(**line, target.config, target.config.meters[meter], points_of(target, meter), sheets[meter]);
    }
  }
  return true;
}

/// A value that was read at last, with its unit; empty when there is none.
std::string shown(const MeterConfig& meter, const Sheet& sheet, const char* name) {
  const Point* point = meter.profile->find(name);
  const auto decoded = point ? decode(*meter.profile, *point, sheet.image, meter.ratios)
                             : Result<Decoded>(Error{Errc::kNotFound, "no such point"});
  if (!decoded || decoded->value.form == Value::Form::kNull) return "";
  return decoded->value.text + (point->unit.empty() ? "" : " " + point->unit);
}

std::string serial_of(const MeterConfig& meter, const Sheet& sheet) {
  const std::string read = shown(meter, sheet, kSerial);
  return read.empty() ? meter.spec.serial : read;
}

std::string ms(Micros time) {
  const auto tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

std::array<std::string, 3> turnarounds(Sheet& sheet) {
  auto& all = sheet.turnarounds;
  if (all.empty()) return {"-", "-", "-"};
  std::sort(all.begin(), all.end());
  return {ms(all.front()), ms(all[all.size() / 2]), ms(all.back())};
}

void print_json(const BusConfig& bus, const MeterConfig& meter, Sheet& sheet, std::ostream& out) {
  const Symptoms& s = sheet.symptoms;
  JsonWriter json;
  json.begin_object().member("meter", meter.spec.id).member("label", meter.spec.label).member("bus", bus.spec.name);
  write_place(json, meter.spec);
  json.member("profile", meter.spec.profile).member("serial", serial_of(meter, sheet));
  json.member(kImport, shown(meter, sheet, kImport)).member("requests", s.requests).member("answers", s.answers);
  json.member("timeouts", s.timeouts).member("crc", s.crc).member("garbled", s.garbled);
  json.member("exceptions", s.exceptions).member("bus_down", s.bus_down);
  if (!sheet.turnarounds.empty()) {
    const auto times = turnarounds(sheet);
    json.key("turnaround_ms").begin_object().key("min").raw_number(times[0]);
    json.key("median").raw_number(times[1]).key("max").raw_number(times[2]).end_object();
  }
  json.member("failed", sheet.failed()).key("hints").begin_array();
  for (const std::string& hint : hints_for(s)) json.text(hint);
  out << json.end_array().end_object().take() << std::endl;
}

void add_row(const BusConfig& bus, const MeterConfig& meter, Sheet& sheet, TextTable& table) {
  const Symptoms& s = sheet.symptoms;
  const auto times = turnarounds(sheet);
  table.add({meter.spec.id, meter.spec.label, bus.spec.name, meter.target.address, serial_of(meter, sheet),
             shown(meter, sheet, kImport), std::to_string(s.requests), std::to_string(s.answers),
             std::to_string(s.timeouts), std::to_string(s.crc), std::to_string(s.garbled), std::to_string(s.exceptions),
             times[0], times[1], times[2]});
}

void look_around(const ReadTarget& target, std::vector<Sheet>& sheets) {
  for (std::size_t i = 0; i < sheets.size(); ++i) {
    Symptoms& symptoms = sheets[i].symptoms;
    symptoms.link = link_of(target.config.spec.settings);
    for (std::size_t other = 0; other < sheets.size(); ++other) {
      if (other != i) symptoms.others_answer = symptoms.others_answer.value_or(false) || !sheets[other].failed();
    }
    symptoms.order = better_order(target.config.meters[i], points_of(target, i), sheets[i].image);
  }
}

}  // namespace

int read_all(const Site& site, int rounds, bool json, std::ostream& out, std::ostream& err, const BusTools& tools) {
  TextTable table({"METER", "LABEL", "BUS", "UNIT", "SERIAL", "IMPORT", "REQUESTS", "ANSWERS", "TIMEOUT", "CRC",
                   "GARBLED", "EXCEPTION", "MIN MS", "MEDIAN MS", "MAX MS"},
                  {3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  std::string hints;
  bool good = true;
  for (const BusConfig& bus : site.buses) {
    if (bus.meters.empty() || tools.stopped()) continue;
    const ReadTarget target(bus);
    std::vector<Sheet> sheets;
    const bool reached = read_bus(target, rounds, sheets, err, tools);
    look_around(target, sheets);
    for (std::size_t i = 0; i < sheets.size(); ++i) {
      good = good && !sheets[i].failed();
      if (json) print_json(bus, bus.meters[i], sheets[i], out);
      add_row(bus, bus.meters[i], sheets[i], table);
      if (!reached) continue;
      for (const std::string& hint : hints_for(sheets[i].symptoms)) hints += bus.meters[i].spec.id + ": " + hint + "\n";
    }
  }
  if (!json) table.print(out);
  if (tools.stopped()) err << "stopped: what was read until then is shown\n";
  if (!json) err << hints;
  return good ? 0 : kUnreachable;
}

}  // namespace metergate
