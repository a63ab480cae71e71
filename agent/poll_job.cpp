#include "agent/poll_job.h"

#include <algorithm>

#include "drivers/plan.h"

namespace metergate {

namespace {

constexpr int kAcknowledge = 5;  // exceptions that pass
constexpr int kBusy = 6;
constexpr Millis kFirstPause{250};
constexpr Millis kLongestPause{16'000};

bool overlaps(const Block& a, const Block& b) {
  return a.table == b.table && a.address < b.address + b.count && b.address < a.address + a.count;
}

}  // namespace

bool passing(const Error& error) {
  return error.code == Errc::kTimeout || error.code == Errc::kCrc || error.code == Errc::kGarbled ||
         (error.code == Errc::kException && (error.exception == kAcknowledge || error.exception == kBusy));
}

PollJob::PollJob(const BusSetup& bus, std::size_t meter, const std::vector<Schedule::Due>& due, MonoTime now)
    : bus_(bus), meter_(meter), began_(now) {
  const MeterSetup& setup = bus.meters[meter];
  std::vector<const Point*> points;
  for (const Schedule::Due& d : due) {
    const PollSetup& poll = bus.polls[d.poll];
    polls_.push_back({d.poll, d.slot, now + retry_window(poll.every)});
    for (const Point* point : poll.points) {
      if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
    }
  }
  todo_ = plan_blocks(*setup.profile, points, setup.cost);
}

std::optional<Block> PollJob::next() const {
  if (todo_.empty()) return std::nullopt;
  return todo_.front();
}

void PollJob::answered(const Words& words, MonoTime now) {
  image_.put(todo_.front(), words);
  todo_.erase(todo_.begin());
  saw_frame_ = true;
  if (!first_) first_ = now;
  last_ = now;
}

void PollJob::failed(const Error& error) {
  failures_.emplace_back(todo_.front(), error);
  todo_.erase(todo_.begin());
  if (error.code == Errc::kException) saw_frame_ = true;
}

void PollJob::abandon(const Error& error) {
  while (!todo_.empty()) failed(error);
}

void PollJob::retry() {
  auto keep =
      std::stable_partition(failures_.begin(), failures_.end(), [](const auto& f) { return !passing(f.second); });
  for (auto it = keep; it != failures_.end(); ++it) todo_.push_back(it->first);
  failures_.erase(keep, failures_.end());
}

std::vector<PollJob::Done> PollJob::finish(const Moment& now, bool synced, const std::string& catalog, bool give_up) {
  const bool again =
      !give_up && std::any_of(failures_.begin(), failures_.end(), [](const auto& f) { return passing(f.second); });
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

const Error* PollJob::failure_of_registers(const Block& registers) const {
  for (const auto& [block, error] : failures_) {
    if (overlaps(block, registers)) return &error;
  }
  return nullptr;
}

Reading PollJob::reading_of(const Waiting& waiting, Stamp stamp, const std::string& catalog) const {
  const MeterSetup& setup = bus_.meters[meter_];
  const PollSetup& poll = bus_.polls[waiting.poll];
  Reading reading;
  reading.stamp = stamp;
  reading.meter = setup.spec.id;
  reading.poll = poll.name;
  reading.slot = waiting.slot;
  reading.span = first_ ? std::chrono::duration_cast<Millis>(last_ - *first_) : Millis{0};
  reading.catalog = catalog;
  reading.serial = setup.spec.serial;
  for (const Point* point : poll.points) {
    const Error* missing = nullptr;
    for (const Point* needed : with_dependencies(*setup.profile, {point})) {
      for (const Block& registers : registers_of(*needed)) {
        if (!image_.has(registers) && missing == nullptr) missing = failure_of_registers(registers);
      }
    }
    if (missing != nullptr) {
      reading.errors.emplace_back(point->name, failure_of(*missing));
      continue;
    }
    const Result<Decoded> decoded = decode(*setup.profile, *point, image_, setup.ratios);
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
