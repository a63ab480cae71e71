#include "agent/cli/bus_load.h"

#include <algorithm>
#include <array>

#include "drivers/line/wire_time.h"

namespace metergate {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<Millis, 24> kUsual{Millis{100}, Millis{200}, Millis{500}, seconds(1),  seconds(2),  seconds(3),
                                        seconds(5),  seconds(10), seconds(15), seconds(20), seconds(30), minutes(1),
                                        minutes(2),  minutes(3),  minutes(5),  minutes(10), minutes(15), minutes(20),
                                        minutes(30), hours(1),    hours(2),    hours(6),    hours(12),   hours(24)};

using Points = std::vector<const Point*>;

Micros time_of(const std::vector<RequestLoad>& requests) {
  Micros sum{0};
  for (const RequestLoad& request : requests) sum += request.time;
  return sum;
}

std::vector<RequestLoad> requests_for(const BusConfig& bus, const MeterConfig& meter, const Points& points) {
  std::vector<RequestLoad> requests;
  if (points.empty()) return requests;
  const Millis waits =
      assumed_turnaround(bus.spec.settings, meter.target.family) + std::max(bus.spec.settings.gap, meter.target.gap);
  for (const Block& block : plan_blocks(*meter.profile, points, meter.cost)) {
    requests.push_back({block, read_time(bus.spec.settings, meter.target, block) + waits});
  }
  return requests;
}

Points joined(const Profile& profile, const Points& a, const Points& b) {
  Points all;
  for (const Point& point : profile.points) {
    const auto is_it = [&point](const Point* p) { return p == &point; };
    if (std::any_of(a.begin(), a.end(), is_it) || std::any_of(b.begin(), b.end(), is_it)) all.push_back(&point);
  }
  return all;
}

/// What a poll adds to those of its meter that are due whenever it is: those whose interval divides its own.
Micros added_by(const BusConfig& bus, std::size_t poll, Millis floor) {
  const PollConfig& self = bus.polls[poll];
  const MeterConfig& meter = bus.meters[self.meter];
  const Millis every = std::max(self.every, floor);
  Points others;
  for (std::size_t i = 0; i < bus.polls.size(); ++i) {
    const PollConfig& other = bus.polls[i];
    const Millis interval = std::max(other.every, floor);
    const bool counted = interval < every || (interval == every && i < poll);
    if (other.meter == self.meter && other.every > Millis{0} && counted && every % interval == Millis{0}) {
      others = joined(*meter.profile, others, other.points);
    }
  }
  const Micros without = time_of(requests_for(bus, meter, others));
  const Micros with = time_of(requests_for(bus, meter, joined(*meter.profile, others, self.points)));
  return std::max(Micros{0}, with - without);
}

double share_of(const BusConfig& bus, Millis floor) {
  double share = 0;
  for (std::size_t i = 0; i < bus.polls.size(); ++i) {
    if (bus.polls[i].every == Millis{0}) continue;
    const Micros every = std::max(bus.polls[i].every, floor);
    share += static_cast<double>(added_by(bus, i, floor).count()) / static_cast<double>(every.count());
  }
  return share;
}

}  // namespace

BusLoad bus_load(const BusConfig& bus) {
  BusLoad load;
  for (const PollConfig& poll : bus.polls) {
    PollLoad of_poll;
    of_poll.requests = requests_for(bus, bus.meters[poll.meter], poll.points);
    of_poll.time = time_of(of_poll.requests);
    if (poll.every == Millis{0}) load.round += of_poll.time;
    load.polls.push_back(std::move(of_poll));
  }
  load.share = share_of(bus, Millis{0});
  return load;
}

std::optional<Millis> interval_for(const BusConfig& bus, double share) {
  const auto fits = [&](Millis interval) { return share_of(bus, interval) <= share; };
  const auto found = std::find_if(kUsual.begin(), kUsual.end(), fits);
  return found == kUsual.end() ? std::nullopt : std::optional<Millis>(*found);
}

}  // namespace metergate
