#include <algorithm>

#include "agent/base/text.h"
#include "agent/cli/interrupt.h"
#include "agent/cli/read_all.h"
#include "agent/cli/read_meter.h"
#include "agent/cli/read_print.h"
#include "agent/cli/subcommands.h"
#include "drivers/line/make_bus.h"

namespace metergate {

namespace {

/// The bus and its one meter that `read` names, or the reason why there is none.
std::variant<Site, UsageError> site_of(const Invocation& invocation) {
  Options options = invocation.options;
  options.polls.clear();
  if (invocation.item) {
    MeterSpec meter;
    meter.id = "meter-" + invocation.place;
    meter.bus = invocation.bus->name;
    meter.address = invocation.place;
    meter.profile = invocation.item->register_bytes == item_width(Family::kDlt645) ? "dlt645_1p" : "dlt645_1997";
    meter.place = "--address " + invocation.place;
    options.buses = {*invocation.bus};
    options.meters = {meter};
  } else if (invocation.bus) {
    MeterSpec meter;
    meter.id = "unit-" + std::to_string(invocation.unit);
    meter.bus = invocation.bus->name;
    meter.unit = invocation.unit;
    meter.profile = invocation.table ? "raw" : invocation.profile;
    meter.place = "--unit " + std::to_string(invocation.unit);
    options.buses = {*invocation.bus};
    options.meters = {meter};
  } else if (!invocation.all) {
    const auto named = std::find_if(options.meters.begin(), options.meters.end(),
                                    [&](const MeterSpec& meter) { return meter.id == invocation.meter; });
    if (named == options.meters.end()) {
      std::vector<std::string> ids;
      for (const MeterSpec& meter : options.meters) ids.push_back(meter.id);
      return UsageError{"no --meter defines " + in_quotes(invocation.meter) + hint(invocation.meter, ids), kWrongFlags};
    }
    options.meters = {*named};
  }
  return make_site(options);
}

/// One reading, opened first where that is needed. The exit status.
int read_once(const Invocation& invocation, const ReadTarget& target, BusReader& line, const Clock& clock,
              std::ostream& out, std::ostream& err) {
  const BusSpec& spec = target.config.spec;
  const MeterConfig& meter = target.config.meters.front();
  if (!line.is_open()) {
    if (const Status opened = line.open(); !opened) {
      err << "metergate: " << explain_port(spec, opened.error()) << "\n";
      return kUnreachable;
    }
  }
  if (invocation.table || invocation.item) {
    const Block block = invocation.item.value_or(
        Block{invocation.table.value_or(Table::kHolding), invocation.address, invocation.count});
    Symptoms symptoms;
    symptoms.link = link_of(spec.settings);
    symptoms.raw = true;
    const BusReader::Answer answer = request(line, meter.target, block, meter.retries + 1, symptoms);
    print_registers({spec, meter, block, stamp_of(clock), answer.took}, answer.words, invocation.json, out);
    if (answer.words) return 0;
    err << "metergate: " << explain_silence(spec, meter, answer.words.error(), symptoms) << "\n";
    return kUnreachable;
  }
  const MeterReading read = read_meter(line, target, 0, clock);
  print_reading(read, spec, meter, invocation.json, out);
  if (!read.reading.error) {
    for (const std::string& hint : hints_for(read.symptoms)) err << "hint: " << hint << "\n";
    return 0;
  }
  const Error& why = read.last ? *read.last : Error{Errc::kInvalid, read.reading.error->message};
  err << "metergate: " << explain_silence(spec, meter, why, read.symptoms) << "\n";
  return kUnreachable;
}

}  // namespace

int run_read(const Invocation& invocation, std::ostream& out, std::ostream& err, const BusTools& tools) {
  const auto made = site_of(invocation);
  if (const auto* error = std::get_if<UsageError>(&made)) {
    err << error_lines(error->message);
    return error->status;
  }
  const auto& site = std::get<Site>(made);
  for (const std::string& warning : invocation.item ? std::vector<std::string>() : site.warnings)
    err << "warning: " << warning << "\n";
  if (invocation.all) return read_all(site, invocation.repeat, invocation.json, out, err, tools);

  const auto bus =
      std::find_if(site.buses.begin(), site.buses.end(), [](const BusConfig& b) { return !b.meters.empty(); });
  const ReadTarget target(*bus);
  if (!invocation.table && target.config.polls.front().points.empty()) {
    err << "metergate: profile '" << target.config.meters.front().profile->name
        << "' has no points; read registers with --table holding --address A --count C\n";
    return kWrongFlags;
  }
  const auto line = reader_of(target.config.spec, tools, err);
  if (!line) {
    err << "metergate: " << explain_port(target.config.spec, line.error()) << "\n";
    return kUnreachable;
  }
  MonoTime next = tools.clock.mono();
  int status = read_once(invocation, target, **line, tools.clock, out, err);
  while (invocation.watch && out) {
    next = std::max(next + *invocation.watch, tools.clock.mono());
    sleep_until(tools, next);
    if (tools.stopped()) break;
    status = read_once(invocation, target, **line, tools.clock, out, err);
  }
  return status;
}

int run_read(const Invocation& invocation, std::ostream& out, std::ostream& err) {
  watch_interrupts();
  const SystemClock clock;
  return run_read(invocation, out, err,
                  {clock, [&clock](const BusSettings& settings) { return make_line_bus(settings, clock); },
                   agent_at(invocation.options.control), interrupted});
}

}  // namespace metergate
