#include "agent/bus/counter_watch.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

constexpr int kAboutZero = 100;  // a counter that was reset: at most one part in so many of what it was
constexpr int kWrapStep = 10;    // one that wrapped: it went at most one part in so many of its range

bool wrapped(const Point& point, const Decimal& from, const Decimal& to) {
  if (!point.wraps) return false;
  const auto rest = point.wraps->plus(from.negated());
  const auto step = rest ? rest->plus(to) : std::nullopt;
  const auto most = step ? step->times(Decimal(kWrapStep)) : std::nullopt;
  return most && from < *point.wraps && !(to < Decimal()) && !(*point.wraps < *most);
}

std::string how_it_fell(const Point& point, const Decimal& from, const Decimal& to) {
  if (wrapped(point, from, to)) return "wrapped";
  const auto scaled = (to < Decimal() ? to.negated() : to).times(Decimal(kAboutZero));
  return scaled && !(from < *scaled) ? "reset" : "fell";
}

}  // namespace

CounterWatch::CounterWatch(const BusConfig& bus, std::size_t meter) : bus_(bus), meter_(meter) {
  for (const PollConfig& poll : bus_.polls) {
    if (poll.meter != meter_) continue;
    for (const Point* point : poll.points) {
      const auto same = [point](const Counter& c) { return c.point == point; };
      const bool known = std::any_of(counters_.begin(), counters_.end(), same);
      if (point->kind == PointKind::kCounter && !known) counters_.push_back({point, std::nullopt});
    }
  }
}

std::vector<const Point*> CounterWatch::points() const {
  std::vector<const Point*> points;
  for (const Counter& counter : counters_) points.push_back(counter.point);
  return points;
}

std::vector<const Point*> CounterWatch::fallen_in(const PollJob& job) const {
  std::vector<const Point*> fallen;
  for (const Counter& counter : counters_) {
    if (!counter.last) continue;
    const Value* value = job.fresh(*counter.point);
    if (value != nullptr && value->number && *value->number < *counter.last) fallen.push_back(counter.point);
  }
  return fallen;
}

CounterWatch::Taken CounterWatch::take(const PollJob& job) {
  Taken taken;
  for (Counter& counter : counters_) {
    const Value* value = job.fresh(*counter.point);
    if (value == nullptr || !value->number || (counter.last && *counter.last == *value->number)) continue;
    const Decimal now = *value->number;
    if (counter.last && now < *counter.last) {
      taken.falls.push_back({counter.point, *counter.last, now, how_it_fell(*counter.point, *counter.last, now)});
      owe(taken.falls.back());
    }
    counter.last = now;
    taken.changed = true;
  }
  return taken;
}

/// One that wrapped did what it should.
void CounterWatch::owe(const Fall& fall) {
  if (fall.how == "wrapped") return;
  for (std::size_t i = 0; i < bus_.polls.size(); ++i) {
    const auto& points = bus_.polls[i].points;
    if (bus_.polls[i].meter != meter_ || std::find(points.begin(), points.end(), fall.point) == points.end()) continue;
    const auto same = [&](const Owed& owed) { return owed.poll == i && owed.point == fall.point; };
    owed_.erase(std::remove_if(owed_.begin(), owed_.end(), same), owed_.end());
    owed_.push_back({i, fall.point, fall.how});
  }
}

void CounterWatch::forget() {
  for (Counter& counter : counters_) counter.last.reset();
  owed_.clear();
}

void CounterWatch::mark(Reading& reading, std::size_t poll) {
  for (auto it = owed_.begin(); it != owed_.end();) {
    const std::string& point = it->point->name;
    const auto named = [&point](const auto& pair) { return pair.first == point; };
    if (it->poll != poll || std::none_of(reading.values.begin(), reading.values.end(), named)) {
      ++it;
      continue;
    }
    auto flags = std::find_if(reading.flags.begin(), reading.flags.end(), named);
    if (flags == reading.flags.end()) flags = reading.flags.insert(flags, {point, {}});
    flags->second.push_back(it->flag);
    it = owed_.erase(it);
  }
}

std::string CounterWatch::text() const {
  std::string out;
  for (const Counter& counter : counters_) {
    if (counter.last) out += " " + counter.point->name + "=" + counter.last->text();
  }
  return out;
}

void CounterWatch::restore(const std::string& name, const std::string& value) {
  for (Counter& counter : counters_) {
    if (counter.point->name == name) counter.last = Decimal::parse(value);
  }
}

}  // namespace metergate
