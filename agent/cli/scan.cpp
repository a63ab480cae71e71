#include <algorithm>
#include <map>
#include <set>

#include "agent/base/text.h"
#include "agent/cli/dlt645_scan.h"
#include "agent/cli/interrupt.h"
#include "agent/cli/profile_match.h"
#include "agent/cli/read_meter.h"
#include "agent/cli/scan_plan.h"
#include "agent/cli/subcommands.h"
#include "agent/config/bus_description.h"
#include "drivers/line/make_bus.h"

namespace metergate {

namespace {

constexpr Nanos kTellEvery = std::chrono::seconds(5);
constexpr std::size_t kBelievable = 8;  // meters behind a gateway; more of one kind are looked at
constexpr int kControlUnits = 3;
constexpr int kIllegalValue = 3;      // the last exception that speaks of registers
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
    err_ << "  " << describe_setting(pass.settings) << ": asked unit " << unit << ", " << found << " found, "
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
  for (const Json& each : buses->items) {
    const Json* port = each.find("port");
    const Json* name = each.find("name");
    if (port && name && real_port(port->text) == real_port(port_key(bus.settings))) return name->text;
  }
  return "";
}

std::string describe_units(const std::vector<int>& units) {
  if (units.size() == 1) return "unit " + std::to_string(units.front());
  const auto [first, last] = std::minmax_element(units.begin(), units.end());
  return std::to_string(units.size()) + " units from " + std::to_string(*first) + " to " + std::to_string(*last);
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
    for (const ScanPass& pass : passes) all_units_.insert(pass.units.begin(), pass.units.end());
    Progress progress(passes, tools_.clock, err_);
    for (const ScanPass& pass : passes) {
      if (ended()) break;
      err_ << describe_setting(pass.settings) << ", " << describe_units(pass) << std::endl;
      line_.settings = pass.settings;
      const auto bus = tools_.make_bus(pass.settings);
      if (Status opened = bus->open(); !opened) return opened;
      for (const int unit : pass.units) {
        if (ended()) break;
        if (units_.count(unit) == 0) {
          if (Status asked = ask_unit(*bus, unit); !asked) return asked;
        }
        progress.asked(pass, unit, found());
      }
      late_ = late_ || bus->counters().late_bytes > 0;
    }
    tell_refusing_units();
    return {};
  }

  /// What else is to be said at the end; `others`: meters of other protocols that were found.
  void conclude(int others) const {
    for (const std::string& line : noise_) err_ << line << "\n";
    if (tools_.stopped()) err_ << "stopped before its end; " << found() + others << " found until then\n";
    if (found() + others > 0 || tools_.stopped()) return;
    const std::string slow = "a meter slower than " + format_duration(line_.settings.timeout) + " (timeout= in --bus)";
    err_ << "no unit answers on " << port_key(line_.settings) << "\n  usual causes: ";
    if (on_tcp(line_.settings)) {
      err_ << "a gateway whose line is silent; another port than that of Modbus TCP; " << slow << "\n";
    } else if (std::holds_alternative<TcpSettings>(line_.settings.port)) {
      err_ << "another baud or mode in the serial server than in the meter; A and B swapped; no power; " << slow
           << "\n";
    } else {
      err_ << "another baud or mode (--bauds, --modes); A and B swapped; no power; " << slow << "\n";
    }
    if (late_) err_ << "  bytes came too late to be an answer: a longer timeout may show the meter\n";
  }

 private:
  enum class Reply { kNothing, kRegisters, kException };
  struct Probe {
    Reply reply = Reply::kNothing;
    int exception = 0;
    Nanos took{0};
  };

  bool ended() const { return ignores_unit_ || tools_.stopped(); }

  std::string where(int unit) const {
    return "unit " + std::to_string(unit) + " at " + describe_setting(line_.settings);
  }

  /// Errors: kBusDown.
  Result<Probe> probe(Bus& bus, int unit) {
    if (const auto known = probed_.find(unit); known != probed_.end()) return known->second;
    Target target;
    target.address = std::to_string(unit);
    const MonoTime began = tools_.clock.mono();
    Result<Words> words = bus.read(target, kScanRequest);
    if (!words && damaged(words.error())) words = bus.read(target, kScanRequest);
    Probe probe;
    probe.took = tools_.clock.mono() - began;
    if (words) {
      probe.reply = Reply::kRegisters;
    } else if (words.error().code == Errc::kBusDown) {
      return words.error();
    } else if (words.error().code == Errc::kException) {
      probe.reply = Reply::kException;
      probe.exception = words.error().exception;
    } else if (damaged(words.error())) {
      noise_.push_back(
          where(unit) + ": something answers, but damaged: " + words.error().detail + '\n' +
          (on_tcp(line_.settings)
               ? "  usual cause: no Modbus TCP at that port (rtu-over-tcp= for a serial server)"
               : "  usual causes: a mode that differs in parity or stop bits; two meters with one unit; no "
                 "termination"));
    }
    return probe;
  }

  Status ask_unit(Bus& bus, int unit) {
    const auto probed = probe(bus, unit);
    if (!probed) return probed.error();
    const bool tcp = on_tcp(line_.settings);
    const int exception = probed->exception;
    if (probed->reply == Reply::kNothing) return {};
    if (tcp && (exception == kGatewayCannot || exception == kGatewayNoAnswer)) return {};
    ProbedUnit asked(bus, std::to_string(unit), std::nullopt);
    std::vector<Candidate> candidates;
    // Through a gateway an exception that does not speak of registers may be its own word for an absent meter.
    if (!tcp || exception <= kIllegalValue) candidates = match_profiles(asked, profiles_);
    if (asked.lost()) return *asked.lost();
    if (tcp && probed->reply == Reply::kException && !asked.gave_registers()) {
      refusing_[exception].push_back(unit);
      return {};
    }
    units_.insert(unit);
    if (tcp && !looked_beyond_) {
      if (Status looked = look_beyond(bus, unit); !looked) return looked;
    }
    tell(asked, candidates, unit, where(unit) + " (" + format_duration(std::chrono::ceil<Millis>(probed->took)) + ")");
    if (ignores_unit_)
      out_
          << "  every unit that was asked answers like this one: the device does not look at the unit, and one --meter "
             "is enough"
          << std::endl;
    return asked.lost() ? Status(*asked.lost()) : Status();
  }

  /// Asks the last units of the range, too: a device that ignores the unit answers for them, and hardly ever are all
  /// of them real meters.
  Status look_beyond(Bus& bus, int found) {
    looked_beyond_ = true;
    if (all_units_.size() <= kBelievable) return {};
    int meters = 0;
    auto unit = all_units_.rbegin();
    for (int i = 0; i < kControlUnits; ++i, ++unit) {
      if (*unit == found) return {};
      const auto probed = probe(bus, *unit);
      if (!probed) return probed.error();
      probed_[*unit] = *probed;
      if (probed->reply == Reply::kNothing) continue;
      ProbedUnit asked(bus, std::to_string(*unit), std::nullopt);
      const bool answers = probed->reply == Reply::kRegisters || !match_profiles(asked, profiles_).empty();
      if (asked.lost()) return *asked.lost();
      meters += answers ? 1 : 0;
    }
    ignores_unit_ = meters == kControlUnits;
    return {};
  }

  /// Units behind a TCP gateway that gave nothing but one exception. Many of them are no meters.
  void tell_refusing_units() {
    for (const auto& [exception, units] : refusing_) {
      if (units.size() > kBelievable) {
        err_ << describe_units(units) << " give nothing but exception " << exception
             << ": most likely the gateway's word for a meter that is not there; they are not counted\n";
        continue;
      }
      for (const int unit : units) {
        units_.insert(unit);
        out_ << where(unit) << ": answers, but only with exception " << exception
             << "; its registers can be tried with metergate read --table\n";
        print_flags(unit, "raw", "");
      }
    }
  }

  void tell(ProbedUnit& unit, const std::vector<Candidate>& candidates, int number, const std::string& where) {
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
    print_flags(number, profile, serial);
  }

  void print_flags(int unit, const std::string& profile, const std::string& serial) {
    out_ << "  --bus " << bus_flag(line_.name, line_.settings) << "\n  --meter id=unit-" << unit
         << ",bus=" << line_.name << ",unit=" << unit << ",profile=" << profile
         << (profile == "raw" ? "" : ",every=10s") << serial << std::endl;
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

  BusSpec line_;  ///< with the settings of the present pass
  const std::vector<const Profile*> profiles_;
  std::ostream& out_;
  std::ostream& err_;
  const BusTools& tools_;
  std::set<int> all_units_;                   ///< to be asked
  std::set<int> units_;                       ///< that were found
  std::map<int, Probe> probed_;               ///< in advance
  std::map<int, std::vector<int>> refusing_;  ///< by exception
  bool looked_beyond_ = false, ignores_unit_ = false;
  std::vector<std::string> noise_;
  bool late_ = false;
};

}  // namespace

int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err, const BusTools& tools) {
  const auto library = ProfileLibrary::load(invocation.options.profile_dirs);
  if (!library) {
    err << error_lines(library.error().detail);
    return kWrongFile;
  }
  std::vector<const Profile*> profiles;
  for (const std::string& name : library->names()) {
    if (library->find(name)->family == Family::kModbus) profiles.push_back(library->find(name));
  }

  const BusSpec& bus = invocation.options.buses.back();
  const auto wanted = [&](const char* protocol) {
    const auto& all = invocation.protocols;
    return all.empty() || std::find(all.begin(), all.end(), protocol) != all.end();
  };
  std::vector<ScanPass> passes;
  if (wanted("modbus")) passes = scan_passes(bus, invocation.units, invocation.bauds, invocation.modes);
  std::vector<BusSettings> settings;
  if (wanted("dlt645")) settings = Dlt645Scan::settings_of(bus, invocation.bauds, invocation.modes);
  Nanos silent = Progress(passes, tools.clock, err).left();
  for (const BusSettings& each : settings) silent += Dlt645Scan::silent_time(each);
  err << "scan of " << port_key(bus.settings) << ": at most " << describe_time(silent)
      << ", and some seconds for each meter found; nothing is written to a meter" << std::endl;
  Scan scan(bus, profiles, out, err, tools);
  Dlt645Scan dlt645(bus.name, *library, tools, out, err);
  Status ran = passes.empty() ? Status() : scan.run(passes);
  for (const BusSettings& each : settings) {
    if (ran && !tools.stopped()) ran = dlt645.run(each);
  }
  if (!ran) {
    err << "metergate: " << explain_port(scan.line(), ran.error()) << "\n";
    const std::string name = agents_bus(bus, tools.send);
    if (!name.empty()) err << "  the agent has this port; 'metergate pause " << name << "' frees it for a while\n";
    return kUnreachable;
  }
  scan.conclude(dlt645.found());
  return scan.found() + dlt645.found() == 0 ? kUnreachable : 0;
}

int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err) {
  watch_interrupts();
  const SystemClock clock;
  const BusTools tools{clock, [&clock](const BusSettings& settings) { return make_line_bus(settings, clock); },
                       agent_at(invocation.options.control), interrupted};
  return run_scan(invocation, out, err, tools);
}

}  // namespace metergate
