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

/// More than max_rise allows for the time since it last changed.
bool rose_too_much(const CounterWatch::Counter& counter, const Ratios& ratios, const Decimal& value, MonoTime now) {
  const auto ratio = ratio_of(*counter.point, ratios);
  if (!counter.point->max_rise || !counter.last || !counter.changed || !ratio) return false;
  const auto rise = value.plus(counter.last->negated());
  const auto time = std::max<Nanos>(CounterWatch::kLeastRiseTime, now - *counter.changed);
  const auto in_ms = Decimal(std::chrono::duration_cast<Millis>(time).count());
  const auto primary = counter.point->max_rise->times(*ratio);
  const auto most = primary ? primary->times(in_ms) : std::nullopt;
  const auto compared = rise ? rise->times(Decimal(Millis(std::chrono::hours(1)).count())) : std::nullopt;
  return most && compared && *most < *compared;
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
      if (point->kind == PointKind::kCounter && !known) counters_.push_back({point, std::nullopt, std::nullopt});
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

CounterWatch::Taken CounterWatch::take(const PollJob& job, MonoTime now) {
  Taken taken;
  for (Counter& counter : counters_) {
    const Value* value = job.fresh(*counter.point);
    if (value == nullptr || !value->number || (counter.last && *counter.last == *value->number)) continue;
    const Decimal shown = *value->number;
    if (rose_too_much(counter, bus_.meters[meter_].ratios, shown, now)) {
      owe(*counter.point, "implausible");
      continue;
    }
    if (counter.last && shown < *counter.last) {
      const Fall fall{counter.point, *counter.last, shown, how_it_fell(*counter.point, *counter.last, shown)};
      if (fall.how != "wrapped") owe(*fall.point, fall.how);  // one that wrapped did what it should
      taken.falls.push_back(fall);
    }
    counter.last = shown;
    counter.changed = now;
    taken.changed = true;
  }
  return taken;
}

void CounterWatch::owe(const Point& point, const std::string& flag) {
  for (std::size_t i = 0; i < bus_.polls.size(); ++i) {
    const auto& points = bus_.polls[i].points;
    if (bus_.polls[i].meter != meter_ || std::find(points.begin(), points.end(), &point) == points.end()) continue;
    const auto same = [&](const Owed& owed) { return owed.poll == i && owed.point == &point; };
    owed_.erase(std::remove_if(owed_.begin(), owed_.end(), same), owed_.end());
    owed_.push_back({i, &point, flag});
  }
}

void CounterWatch::forget() {
  for (Counter& counter : counters_) counter = {counter.point, std::nullopt, std::nullopt};
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
    auto& all = flags->second;
    if (std::find(all.begin(), all.end(), it->flag) == all.end()) all.push_back(it->flag);
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

void CounterWatch::restore_time(MonoTime seen) {
  for (Counter& counter : counters_) {
    if (counter.last) counter.changed = seen;
  }
}

}  // namespace metergate
