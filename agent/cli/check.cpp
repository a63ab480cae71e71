#include <algorithm>
#include <cmath>
#include <set>

#include "agent/base/text.h"
#include "agent/cli/bus_load.h"
#include "agent/cli/check_broker.h"
#include "agent/cli/data_volume.h"
#include "agent/cli/manual_notation.h"
#include "agent/cli/subcommands.h"
#include "agent/cli/text_table.h"
#include "agent/config/bus_description.h"
#include "agent/config/site.h"
#include "agent/crypto/signature.h"
#include "agent/uplink/connection.h"
#include "store/sqlite/file_store.h"

namespace metergate {

namespace {

constexpr int kCannotCreate = 73;  // EX_CANTCREAT of sysexits.h
constexpr int kCannotUse = 74;     // EX_IOERR
constexpr double kBusy = 0.8;
constexpr double kFull = 1.0;

std::string percent(double share) {
  const double value = share * 100;
  const auto tenths = static_cast<long>(std::lround(value * 10));
  if (value >= 10) return std::to_string(std::lround(value)) + " %";
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

std::string milliseconds(Micros time) {
  const auto tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

std::string counted(std::size_t number, const std::string& thing) {
  return std::to_string(number) + " " + thing + (number == 1 ? "" : "s");
}

std::string how_often(Millis every) { return every == Millis{0} ? "back to back" : "every " + format_duration(every); }

void print_polls(const BusConfig& bus, const BusLoad& load, std::size_t meter, std::ostream& out) {
  bool any = false;
  for (std::size_t i = 0; i < bus.polls.size(); ++i) {
    const PollConfig& poll = bus.polls[i];
    if (poll.meter != meter) continue;
    any = true;
    const PollLoad& of_poll = load.polls[i];
    out << "    poll " << poll.name << " " << how_often(poll.every) << ": " << counted(poll.points.size(), "point")
        << ", " << counted(of_poll.requests.size(), "request") << ", " << milliseconds(of_poll.time) << "\n";
    TextTable table({"", "", ""}, {1, 2});
    for (const RequestLoad& request : of_poll.requests) {
      table.add({describe_block(request.block), std::to_string(request.block.count), milliseconds(request.time)});
    }
    table.print(out, "      ");
  }
  if (!any) out << "    read on command only\n";
}

/// The exit status: 0, or 78 for a bus that needs more than all of its time.
int check_bus(const BusConfig& bus, std::ostream& out, std::ostream& err) {
  const BusLoad load = bus_load(bus);
  out << "bus " << bus.spec.name << ": " << describe_port(bus.spec.settings) << ", "
      << counted(bus.meters.size(), "meter") << "\n";
  for (std::size_t i = 0; i < bus.meters.size(); ++i) {
    const MeterSpec& meter = bus.meters[i].spec;
    const auto& own_line = bus.meters[i].target.line;
    out << "  meter " << meter.id << ": " << describe_place(meter) << ", "
        << (own_line ? describe_line(*own_line) + ", " : "") << "profile " << meter.profile << "\n";
    print_polls(bus, load, i, out);
  }
  out << "  its polls take " << percent(load.share) << " of its time";
  if (load.round > Micros{0}) out << "; those back to back use the rest, a round in " << milliseconds(load.round);
  out << "\n\n";
  if (load.share <= kBusy) return 0;

  const auto fitting = interval_for(bus, kBusy);
  const bool full = load.share > kFull;
  err << (full ? "metergate: bus " : "warning: bus ") << bus.spec.name << " needs " << percent(load.share)
      << " of its time" << (full ? ", so that some " + percent(1 / load.share) + " of the slots would be kept; " : "; ")
      << (fitting ? "it would fit with every=" + format_duration(*fitting) + " for each poll that is now more frequent"
                  : std::string("even a poll a day does not fit"))
      << "\n";
  return full ? kWrongFile : 0;
}

void warn_of_manual_numbers(const Site& site, std::ostream& err) {
  std::set<const Profile*> seen;
  for (const BusConfig& bus : site.buses) {
    for (const MeterConfig& meter : bus.meters) {
      if (!seen.insert(meter.profile).second) continue;
      for (const Point& point : meter.profile->points) {
        const int address = point.addresses.empty() ? 0 : point.addresses.front();
        const std::string manual = manual_notation(point.table, address);
        if (manual.empty()) continue;
        err << "warning: profile '" << meter.profile->name << "': " << point.name << " = " << table_name(point.table)
            << " " << address << ": " << manual << "; right is what 'metergate read --table' shows\n";
        break;  // the others of the profile are written in the same way
      }
    }
  }
}

int check_store(const StoreSettings& settings, std::ostream& out, std::ostream& err) {
  const Status usable = probe_store(settings);
  if (usable) {
    out << "store " << settings.path << ": usable\n";
    return 0;
  }
  if (usable.error().code == Errc::kLocked) {
    out << "store " << settings.path << ": in use by a running agent\n";
    return 0;
  }
  if (usable.error().code == Errc::kCorrupt) {
    out << "warning: store " << settings.path << ": damaged (" << usable.error().detail
        << "); `metergate run` sets it aside and saves what can be read\n";
    return 0;
  }
  err << "metergate: " << usable.error().detail << "\n";
  if (usable.error().code == Errc::kNotFound) return kCannotCreate;
  return usable.error().code == Errc::kInvalid ? kWrongFile : kCannotUse;
}

int check_uplink(const Options& options, std::ostream& out, std::ostream& err) {
  const UplinkOptions& uplink = options.uplink;
  if (uplink.to_stdout) {
    out << "upstream: stdout\n\n";
    return 0;
  }
  const auto connector = make_mqtt_connector({uplink, "", [] { return std::string(); }});
  if (!connector) {
    err << "metergate: " << connector.error().detail << "\n";
    return kWrongFile;
  }
  std::string nodes;
  for (const Endpoint& node : uplink.brokers) {
    nodes += (nodes.empty() ? "" : ", ") + std::string(uplink.tls ? "mqtts://" : "mqtt://") + node.text();
  }
  out << "upstream: " << nodes << " as " << uplink.client_id << ", topics " << uplink.topic_prefix << "/"
      << options.gateway << "/...\n\n";
  return 0;
}

int check_http(const Options& options, std::ostream& err) {
  if (options.http_token_file.empty()) return 0;
  const auto token = read_secret("--http-token-file", options.http_token_file);
  if (token) return 0;
  err << "metergate: " << token.error().detail << "\n";
  return kWrongFile;
}

int check_remote_key(const Options& options, std::ostream& err) {
  if (options.remote.key_file.empty()) return 0;
  const auto key = read_verify_key(options.remote.key_file);
  if (key) return 0;
  err << "metergate: " << key.error().detail << "\n";
  return kWrongFile;
}

std::string how_long(double days) {
  if (days >= 10) return with_commas(static_cast<std::int64_t>(days)) + " days";
  const auto tenths = static_cast<std::int64_t>(days * 10);
  return tenths >= 10 ? std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " days"
                      : counted(static_cast<std::size_t>(days * 24), "hour");
}

void print_volume(const Site& site, const StoreSettings& store, std::ostream& out) {
  const DataVolume volume = data_volume_of(site, store);
  if (volume.records < 1) {
    out << "no readings: no meter has a poll\n";
    return;
  }
  out << with_commas(std::llround(volume.records)) << " records a day, " << format_bytes(volume.bytes)
      << " on the wire, " << format_bytes(volume.stored) << " in the store\n"
      << "an outage of " << how_long(volume.days) << " fits into --store-max-size " << store.max_bytes / (1 << 20)
      << "MiB\n"
      << "at most " << format_bytes(volume.flash) << " a day are written to the store's medium (--commit-every "
      << format_duration(store.commit_every) << ")\n";
}

}  // namespace

int run_check(const Invocation& invocation, std::ostream& answer, std::ostream& err, const SendRequest& send,
              const Clock& clock) {
  std::ostream nowhere(nullptr);
  std::ostream& out = invocation.json ? nowhere : answer;
  const Options& options = invocation.options;
  const auto made = make_site(options);
  if (const auto* error = std::get_if<UsageError>(&made)) {
    err << error_lines(error->message);
    return error->status;
  }
  const auto& site = std::get<Site>(made);
  for (const std::string& warning : site.warnings) err << "warning: " << warning << "\n";
  if (const auto warning = clock_warning(site, SystemClock(options.trust_clock)))
    err << "warning: " << *warning << "\n";
  warn_of_manual_numbers(site, err);

  const int uplink = check_uplink(options, out, err);
  int status = uplink;
  const auto worse = [&status](int next) { status = status == 0 ? next : status; };
  worse(check_http(options, err));
  worse(check_remote_key(options, err));
  for (const BusConfig& bus : site.buses) worse(check_bus(bus, out, err));
  if (!site.buses.empty()) {
    out << "Times are those on the wire plus a turnaround of " << assumed_turnaround({SerialSettings{}, {}, {}}).count()
        << " ms (TCP " << assumed_turnaround({TcpSettings{}, {}, {}}).count() << " ms, DL/T 645 "
        << assumed_turnaround({SerialSettings{}, {}, {}}, Family::kDlt645).count()
        << " ms), which is assumed, and the silence that is asked for.\n"
           "Polls of a meter that are due together share requests; only where no interval is a multiple of the other "
           "are\n"
           "both counted in full.\n\n";
  }
  worse(check_store(options.store, out, err));
  print_volume(site, options.store, out);
  if (invocation.broker && uplink == 0) {
    out << "\n";
    worse(check_broker(invocation, send, clock, answer, err));
  }
  answer << std::flush;
  return status;
}

}  // namespace metergate
