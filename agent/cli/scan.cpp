#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "agent/base/text.h"
#include "agent/cli/profile_match.h"
#include "agent/cli/read_meter.h"
#include "agent/cli/scan_plan.h"
#include "agent/cli/subcommands.h"
#include "agent/config/bus_description.h"
#include "drivers/modbus/make_bus.h"

namespace metergate {

namespace {

constexpr Nanos kTellEvery = std::chrono::seconds(5);
constexpr int kGatewayCannot = 10;    // exceptions of a TCP gateway that has no such unit on its line
constexpr int kGatewayNoAnswer = 11;  // Modbus Application Protocol V1.1b3, 7

/// How far the scan is, told every few seconds.
class Progress {
 public:
  Progress(const std::vector<ScanPass>& passes, const Clock& clock, std::ostream& err) : clock_(clock), err_(err) {
    for (const ScanPass& pass : passes) left_ += silent_time(pass);
    told_ = clock_.mono();
  }

  Nanos left() const { return left_; }
  /// One unit of `pass` was asked.
  void asked(const ScanPass& pass, int unit, int found) {
    left_ -= silent_time(pass) / static_cast<Nanos::rep>(pass.units.size());
    if (clock_.mono() - told_ < kTellEvery) return;
    told_ = clock_.mono();
    err_ << "  " << describe_line(pass.settings) << ": asked unit " << unit << ", " << found << " found, "
         << describe_time(left_) << " left at most" << std::endl;
  }

 private:
  const Clock& clock_;
  std::ostream& err_;
  Nanos left_{0};
  MonoTime told_{};
};

bool on_tcp(const BusSettings& settings) {
  const auto* tcp = std::get_if<TcpSettings>(&settings.port);
  return tcp != nullptr && !tcp->rtu;
}

bool damaged(const Error& error) { return error.code == Errc::kCrc || error.code == Errc::kGarbled; }

/// The running agent's bus on this port, empty when there is none.
std::string agents_bus(const BusSpec& bus, const SendRequest& send) {
  const auto status = request_json(send, R"({"ask":"status"})");
  const Json* buses = status ? status->find("buses") : nullptr;
  if (buses == nullptr) return "";
  const auto real = [](const std::string& port) {
    std::error_code none;
    const auto path = std::filesystem::canonical(port, none);
    return none ? port : path.string();
  };
  for (const Json& each : buses->items) {
    const Json* port = each.find("port");
    const Json* name = each.find("name");
    if (port && name && real(port->text) == real(port_key(bus.settings))) return name->text;
  }
  return "";
}

class Scan {
 public:
  Scan(const BusSpec& spec, std::vector<const Profile*> profiles, std::ostream& out, std::ostream& err,
       const BusTools& tools)
      : line_(spec), profiles_(std::move(profiles)), out_(out), err_(err), tools_(tools) {}

  const BusSpec& line() const { return line_; }
  int found() const { return static_cast<int>(units_.size()); }

  /// What ended it before its end: the port.
  Status run(const std::vector<ScanPass>& passes) {
    Progress progress(passes, tools_.clock, err_);
    for (const ScanPass& pass : passes) {
      err_ << describe_line(pass.settings) << ", " << describe_units(pass) << std::endl;
      line_.settings = pass.settings;
      const auto bus = tools_.make_bus(pass.settings);
      if (Status opened = bus->open(); !opened) return opened;
      for (const int unit : pass.units) {
        if (units_.count(unit) == 0) {
          if (Status asked = ask_unit(*bus, pass, unit); !asked) return asked;
        }
        progress.asked(pass, unit, found());
      }
      late_ = late_ || bus->counters().late_bytes > 0;
    }
    return {};
  }

  /// What else is to be said at the end.
  void conclude() const {
    for (const std::string& line : noise_) err_ << line << "\n";
    if (found() == 0) {
      err_ << "no unit answers on " << port_key(line_.settings)
           << "\n  usual causes: another baud or mode (--bauds, --modes); A and B swapped; no power; a meter slower "
              "than "
           << format_duration(line_.settings.timeout) << " (timeout= in --bus)\n";
    }
    if (found() == 0 && late_) err_ << "  bytes came too late to be an answer: a longer timeout may show the meter\n";
    if (found() > 8 && on_tcp(line_.settings)) {
      err_ << "  " << found()
           << " units answer: a meter that ignores the unit answers to each; then one --meter will do\n";
    }
  }

 private:
  Status ask_unit(Bus& bus, const ScanPass& pass, int unit) {
    Target target;
    target.address = std::to_string(unit);
    const MonoTime began = tools_.clock.mono();
    Result<Words> words = bus.read(target, kScanRequest);
    if (!words && damaged(words.error())) words = bus.read(target, kScanRequest);
    const Nanos took = tools_.clock.mono() - began;
    if (!words && words.error().code == Errc::kBusDown) return words.error();
    if (!words && words.error().code == Errc::kTimeout) return {};
    const std::string where = "unit " + target.address + " at " + describe_line(pass.settings);
    if (!words && damaged(words.error())) {
      noise_.push_back(
          where + ": something answers, but damaged: " + words.error().detail +
          "\n  usual causes: a mode that differs in parity or stop bits; two meters with one unit; no termination");
      return {};
    }
    const int exception = words ? 0 : words.error().exception;
    if (on_tcp(pass.settings) && (exception == kGatewayCannot || exception == kGatewayNoAnswer)) return {};
    units_.insert(unit);
    ProbedUnit asked(bus, target.address, std::nullopt);
    tell(asked, pass.settings, unit, where + " (" + format_duration(std::chrono::ceil<Millis>(took)) + ")");
    if (asked.lost()) return *asked.lost();
    return {};
  }

  void tell(ProbedUnit& unit, const BusSettings& settings, int number, const std::string& where) {
    const auto candidates = recognise(unit, profiles_);
    std::string profile = "raw", serial;
    out_ << where << ": ";
    if (candidates.empty()) {
      out_ << "answers, but no profile fits; its registers can be read with metergate read --table\n";
    } else {
      const Candidate& best = candidates.front();
      profile = best.profile->name;
      serial = serial_of(unit, *best.profile);
      out_ << (best.identified ? "is " : "seems to be ") << best.profile->title;
      for (std::size_t i = 0; i < best.seen.size(); ++i) out_ << (i == 0 ? ": " : ", ") << best.seen[i];
      out_ << "\n";
      print_others(candidates);
    }
    out_ << "  --bus " << bus_flag(settings) << "\n  --meter id=unit-" << number << ",bus=" << line_.name
         << ",unit=" << number << ",profile=" << profile << (profile == "raw" ? "" : ",every=10s") << serial
         << std::endl;
  }

  void print_others(const std::vector<Candidate>& candidates) {
    std::string others;
    for (std::size_t i = 1; i < candidates.size() && alike(candidates[i], candidates[0]); ++i) {
      others += (others.empty() ? "" : ", ") + candidates[i].profile->name;
    }
    if (!others.empty()) out_ << "  as likely: " << others << "\n";
  }

  static std::string serial_of(ProbedUnit& unit, const Profile& profile) {
    const Point* point = profile.find("serial_number");
    const auto value = point == nullptr ? std::nullopt : unit.value(profile, *point);
    const bool usable = value && value->form == Value::Form::kText && !value->text.empty() &&
                        value->text.find_first_of(",\" ") == std::string::npos;
    return usable ? ",serial=" + value->text : "";
  }

  std::string bus_flag(const BusSettings& settings) const {
    const auto* serial = std::get_if<SerialSettings>(&settings.port);
    if (serial == nullptr) {
      const bool rtu = std::get<TcpSettings>(settings.port).rtu;
      return "name=" + line_.name + (rtu ? ",rtu-over-tcp=" : ",tcp=") + port_key(settings);
    }
    static const char* const directions[] = {"", ",rs485=kernel", ",rs485=rts-up", ",rs485=rts-down"};
    return "name=" + line_.name + ",device=" + serial->device + ",baud=" + std::to_string(serial->baud) + ",mode=8" +
           serial->parity + std::to_string(serial->stop_bits) + directions[static_cast<int>(serial->direction)];
  }

  BusSpec line_;  ///< with the settings of the present pass
  const std::vector<const Profile*> profiles_;
  std::ostream& out_;
  std::ostream& err_;
  const BusTools& tools_;
  std::set<int> units_;  ///< that were found
  std::vector<std::string> noise_;
  bool late_ = false;
};

}  // namespace

int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err, const BusTools& tools) {
  const auto library = ProfileLibrary::load(invocation.options.profile_dirs);
  if (!library) {
    err << "metergate: " << library.error().detail << "\n";
    return kWrongFile;
  }
  std::vector<const Profile*> profiles;
  for (const std::string& name : library->names()) profiles.push_back(library->find(name));

  const BusSpec& bus = invocation.options.buses.back();
  const auto passes = scan_passes(bus, invocation.units, invocation.bauds, invocation.modes);
  err << "scan of " << port_key(bus.settings) << ": at most "
      << describe_time(Progress(passes, tools.clock, err).left())
      << ", and some seconds for each meter found; nothing is written to a meter" << std::endl;
  Scan scan(bus, profiles, out, err, tools);
  const Status ran = scan.run(passes);
  if (!ran) {
    err << "metergate: " << explain_port(scan.line(), ran.error()) << "\n";
    const std::string name = agents_bus(bus, tools.send);
    if (!name.empty()) err << "  the agent has this port; 'metergate pause " << name << "' frees it for a while\n";
    return kUnreachable;
  }
  scan.conclude();
  return scan.found() == 0 ? kUnreachable : 0;
}

int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err) {
  const SystemClock clock;
  const BusTools tools{clock, [&clock](const BusSettings& settings) { return make_modbus_bus(settings, clock); },
                       agent_at(invocation.options.control)};
  return run_scan(invocation, out, err, tools);
}

}  // namespace metergate
