#include "agent/cli/read_meter.h"

#include "agent/base/text.h"
#include "agent/bus/poll_job.h"
#include "agent/config/bus_description.h"

namespace metergate {

ReadTarget::ReadTarget(const BusConfig& bus) : config(bus) {
  config.polls.clear();
  for (std::size_t i = 0; i < config.meters.size(); ++i) {
    const MeterConfig& meter = config.meters[i];
    config.polls.push_back({i, "read", Millis{0}, matching_points(*meter.profile, meter.spec.points), false});
  }
}

BusReader::Answer request(BusReader& line, const Target& target, const Block& block, int tries, Symptoms& symptoms) {
  Micros took{0};
  for (int i = 1;; ++i) {
    BusReader::Answer answer = line.read(target, block);
    symptoms.count(answer.words, block);
    took = answer.took += took;
    if (answer.words || i >= tries || !passing(answer.words.error())) return answer;
  }
}

MeterReading read_meter(BusReader& line, const ReadTarget& target, std::size_t meter, const Clock& clock) {
  const MeterConfig& config = target.config.meters[meter];
  MeterReading result;
  result.symptoms.link = link_of(target.config.spec.settings);
  UnsupportedPoints unsupported(*config.profile);
  MeterPlan plan(target.config, meter, unsupported);
  PollJob job(target.config, meter, {{meter, std::nullopt}}, unsupported, plan, clock.mono());
  while (const auto block = job.next()) {
    const BusReader::Answer answer = request(line, config.target, *block, config.retries + 1, result.symptoms);
    result.took += answer.took;
    if (answer.words) {
      job.answered(*answer.words, clock.mono());
      result.image.put(*block, *answer.words);
      continue;
    }
    const Error& error = answer.words.error();
    result.last = error;
    const bool lost = error.code == Errc::kBusDown || error.code == Errc::kPaused;
    if (lost || (!job.saw_frame() && error.code != Errc::kException)) {
      job.abandon(error);
    } else {
      job.failed(error, clock.mono());
    }
  }
  result.reading = std::move(job.finish(moment_of(clock), clock.synced(), "", true).front().reading);
  result.symptoms.order = better_order(config, target.config.polls[meter].points, result.image);
  return result;
}

std::string explain_port(const BusSpec& bus, const Error& error) {
  std::string text = "bus " + bus.name + " (" + describe_port(bus.settings) + "): " + error.detail;
  if (error.code == Errc::kLocked)
    return text + "\n  usual causes: an agent with another --control, or a tool that has the port open; 'fuser -v " +
           port_key(bus.settings) + "' shows it";
  if (error.code == Errc::kTimeout || error.code == Errc::kInvalid) return text;  // it says itself what would be right
  if (std::holds_alternative<SerialSettings>(bus.settings.port)) {
    return text +
           "\n  usual causes: another device name (see /dev/serial/by-path), a user who is not in the group dialout";
  }
  return text + "\n  usual causes: another address or port, no power, a firewall, too many connections to the device";
}

std::string explain_silence(const BusSpec& bus, const MeterConfig& meter, const Error& error,
                            const Symptoms& symptoms) {
  const Millis timeout = meter.target.timeout.value_or(bus.settings.timeout);
  std::string text = "meter " + meter.spec.id + ": no reading from " + describe_place(meter.spec) + " on " +
                     describe_port(bus.settings, meter.target) + " (timeout " + format_duration(timeout) + ", " +
                     std::to_string(meter.retries + 1) + " tries): " + error.detail;
  for (const std::string& hint : hints_for(symptoms)) text += "\n  usual cause: " + hint;
  return text;
}

}  // namespace metergate
