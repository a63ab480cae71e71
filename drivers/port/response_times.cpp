#include "drivers/port/response_times.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr int kWeight = 8;  // of the mean: one part in so many is the newest
constexpr Micros kStep{10'000};

std::int64_t hour_of(MonoTime now) { return now.time_since_epoch() / std::chrono::hours(1); }

}  // namespace

void ResponseTimes::note(Micros took, MonoTime now) {
  const std::int64_t number = hour_of(now);
  Hour& hour = hours_[static_cast<std::size_t>(number) % kHours];
  if (hour.number != number) hour = {number, Micros{0}};
  hour.slowest = std::max(hour.slowest, took);
}

void ResponseTimes::answered(Micros took, MonoTime now) {
  note(took, now);
  unanswered_.reset();
  running_ = std::min(running_ + 1, kEnough);
  if (!usual_) usual_ = took;
  *usual_ += (std::min(took, *usual_ * 2 + kStep) - *usual_) / kWeight;
}

void ResponseTimes::unanswered(MonoTime asked) {
  running_ = 0;
  if (!unanswered_) unanswered_ = asked;
}

void ResponseTimes::late(MonoTime now) {
  if (unanswered_) note(std::chrono::duration_cast<Micros>(now - *unanswered_), now);
  unanswered_.reset();
}

Micros ResponseTimes::slowest(MonoTime now) const {
  const std::int64_t oldest = hour_of(now - kKept);
  Micros slowest{0};
  for (const Hour& hour : hours_) {
    if (hour.number >= oldest) slowest = std::max(slowest, hour.slowest);
  }
  return slowest;
}

Nanos ResponseTimes::deadline(Nanos timeout, MonoTime now) const {
  if (running_ < kEnough) return timeout;
  return std::min(timeout, std::max<Nanos>(kShortest, slowest(now) * 2));
}

}  // namespace metergate
