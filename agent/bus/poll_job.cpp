#include "agent/bus/poll_job.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr Millis kFirstPause{250};
constexpr Millis kLongestPause{16'000};

}  // namespace

PollJob::PollJob(const BusConfig& bus, std::size_t meter, const std::vector<Schedule::Due>& due,
                 UnsupportedPoints& unsupported, MeterPlan& plan, MonoTime now)
    : bus_(bus),
      meter_(meter),
      unsupported_(unsupported),
      plan_(plan),
      reader_(bus.meters[meter], &unsupported),
      began_(now) {
  for (const Schedule::Due& d : due) polls_.push_back({d.poll, d.slot, now + retry_window(bus.polls[d.poll].every)});
  const std::vector<const Point*> points = wanted();
  ask(points);
  if (reader_.next()) return;
  reader_.ask({points.front()}, plan_.blocks({points.front()}));
}

std::vector<const Point*> PollJob::wanted() const {
  std::vector<const Point*> points;
  for (const Waiting& w : polls_) {
    for (const Point* point : bus_.polls[w.poll].points) {
      if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
    }
  }
  return points;
}

void PollJob::ask(const std::vector<const Point*>& points) {
  std::vector<const Point*> needed;
  for (const Point* point : points) {
    if (fresh(*point) != nullptr) continue;
    if (const int exception = unsupported_.exception_of(*point)) {
      left_out_.emplace_back(point, exception);
    } else {
      needed.push_back(point);
    }
  }
  reader_.ask(needed, plan_.blocks(needed));
}

const Value* PollJob::fresh(const Point& point) const {
  if (!reader_.came(point) || why_missing(point)) return nullptr;
  const Result<Decoded>& decoded = reader_.value(point);
  return decoded ? &decoded->value : nullptr;
}

void PollJob::came(MonoTime now) {
  saw_frame_ = true;
  if (!first_) first_ = now;
  last_ = now;
}

void PollJob::answered(const Words& words, MonoTime now) {
  const bool knew = !unsupported_.learned().empty();
  reader_.answered(words, now);
  if (knew && unsupported_.learned().empty()) ask(wanted());
  came(now);
}

bool PollJob::take_over(const Block& block, const Words& words, MonoTime now) {
  const bool knew = !unsupported_.learned().empty();
  if (!reader_.take_over(block, words, now)) return false;
  if (knew && unsupported_.learned().empty()) ask(wanted());
  came(now);
  return true;
}

void PollJob::failed(const Error& error, MonoTime now) {
  if (from_meter(error)) saw_frame_ = true;
  reader_.failed(error, now);
}

std::vector<PollJob::Done> PollJob::finish(const Moment& now, bool synced, const std::string& catalog, bool give_up) {
  const auto& failures = reader_.failures();
  const bool again =
      !give_up && std::any_of(failures.begin(), failures.end(), [](const auto& f) { return another_try(f.second); });
  const Millis pause = std::min(kLongestPause, kFirstPause * (1 << std::min(rounds_++, 6)));
  retry_at_ = now.mono + pause;
  const auto age = std::chrono::duration_cast<Millis>(now.mono - first_.value_or(now.mono));
  std::vector<Done> done;
  std::vector<Waiting> left;
  for (const Waiting& w : polls_) {
    Reading reading = reading_of(w, Stamp{now.utc - age, synced}, catalog);
    const bool whole = !reading.error && reading.errors.empty();
    if (!whole && again && retry_at_ <= w.until) {
      left.push_back(w);
    } else {
      done.push_back({w.poll, std::move(reading)});
    }
  }
  polls_ = std::move(left);
  return done;
}

MonoTime PollJob::closes_at() const {
  MonoTime last = MonoTime::min();
  for (const Waiting& w : polls_) last = std::max(last, w.until);
  return last;
}

/// Nothing: what is needed for it is there, or it is not known why it is not.
std::optional<Error> PollJob::why_missing(const Point& point) const {
  if (auto failure = reader_.failure(point)) return failure;
  const auto left_out =
      std::find_if(left_out_.begin(), left_out_.end(), [&](const auto& left) { return left.first == &point; });
  if (left_out == left_out_.end() || reader_.whole(point)) return std::nullopt;
  const int exception = left_out->second;
  const std::string what =
      exception < kErrorWord ? "exception " + std::to_string(exception) : exception_code(exception);
  return Error{Errc::kException, "the meter refused it (" + what + ") and is asked again within a day", exception};
}

Reading PollJob::reading_of(const Waiting& waiting, Stamp stamp, const std::string& catalog) const {
  const PollConfig& poll = bus_.polls[waiting.poll];
  Reading reading;
  reading.stamp = stamp;
  reading.meter = config().spec.id;
  reading.poll = poll.name;
  reading.slot = waiting.slot;
  reading.span = first_ ? std::chrono::duration_cast<Millis>(last_ - *first_) : Millis{0};
  reading.catalog = catalog;
  reading.serial = config().spec.serial;
  for (const Point* point : poll.points) {
    if (const auto missing = why_missing(*point)) {
      reading.errors.emplace_back(point->name, failure_of(*missing));
      continue;
    }
    const Result<Decoded>& decoded = reader_.value(*point);
    if (!decoded) {
      reading.errors.emplace_back(point->name, failure_of(decoded.error()));
      continue;
    }
    reading.values.emplace_back(point->name, decoded->value);
    if (!decoded->flags.empty()) reading.flags.emplace_back(point->name, decoded->flags);
  }
  if (reading.values.empty() && !reading.errors.empty()) {
    reading.error = reading.errors.front().second;
    reading.errors.clear();
  }
  return reading;
}

}  // namespace metergate
