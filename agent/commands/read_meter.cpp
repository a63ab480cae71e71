#include "agent/commands/read_meter.h"

#include "agent/base/text.h"
#include "agent/bus_text.h"
#include "agent/poll_job.h"

namespace metergate {

ReadTarget::ReadTarget(const BusSetup& bus) : setup(bus) {
  setup.polls.clear();
  for (std::size_t i = 0; i < setup.meters.size(); ++i) {
    const MeterSetup& meter = setup.meters[i];
    setup.polls.push_back({i, "read", Millis{0}, matching_points(*meter.profile, meter.spec.points), false});
  }
}

Result<Words> request(Bus& bus, const Target& target, const Block& block, int tries) {
  Result<Words> words = bus.read(target, block);
  for (int i = 1; i < tries && !words && passing(words.error()); ++i) words = bus.read(target, block);
  return words;
}

MeterReading read_meter(Bus& bus, const ReadTarget& target, std::size_t meter, const Clock& clock) {
  const MeterSetup& setup = target.setup.meters[meter];
  MeterReading result;
  RefusedPoints refused(*setup.profile);
  PollJob job(target.setup, meter, {{meter, std::nullopt}}, refused, clock.mono());
  while (const auto block = job.next()) {
    const Result<Words> words = request(bus, setup.target, *block, setup.retries + 1);
    if (words) {
      job.answered(*words, clock.mono());
      continue;
    }
    result.last = words.error();
    if (words.error().code == Errc::kBusDown || (!job.saw_frame() && words.error().code != Errc::kException)) {
      job.abandon(words.error());
    } else {
      job.failed(words.error(), clock.mono());
    }
  }
  result.answered = job.saw_frame();
  result.reading = std::move(job.finish(moment_of(clock), clock.synced(), "", true).front().reading);
  return result;
}

std::string explain_port(const BusSpec& bus, const Error& error) {
  std::string text = "bus " + bus.name + " (" + describe_port(bus.settings) + "): " + error.detail;
  if (error.code == Errc::kLocked)
    return text + "\n  usual cause: the agent runs and has the port; stop it for the while";
  if (std::holds_alternative<SerialSettings>(bus.settings.port)) {
    return text +
           "\n  usual causes: another device name (see /dev/serial/by-path), a user who is not in the group dialout";
  }
  return text + "\n  usual causes: another address or port, no power, a firewall, too many connections to the device";
}

std::string explain_silence(const BusSpec& bus, const MeterSetup& meter, const Error& error) {
  const Millis timeout = meter.target.timeout.value_or(bus.settings.timeout);
  const bool serial = std::holds_alternative<SerialSettings>(bus.settings.port);
  std::string text = "meter " + meter.spec.id + ": no reading from unit " + meter.target.address + " on " +
                     describe_port(bus.settings) + " (timeout " + format_duration(timeout) + ", " +
                     std::to_string(meter.retries + 1) + " tries): " + error.detail + "\n  usual causes: ";
  switch (error.code) {
    case Errc::kTimeout:
      return text + (serial
                         ? "another unit, baud or mode in the meter; A and B swapped; no power; a longer timeout needed"
                         : "another unit; a line behind the gateway that is silent; a longer timeout needed");
    case Errc::kCrc:
    case Errc::kGarbled:
      return text +
             "another baud or mode in the meter; two meters with one unit; no termination or bias; a second master";
    case Errc::kException:
      return text + "a profile for another model or firmware; the raw registers can be read with --table";
    default:
      return text + "the port or connection was lost while reading";
  }
}

}  // namespace metergate
