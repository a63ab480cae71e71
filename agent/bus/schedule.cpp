#include "agent/bus/schedule.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

constexpr Millis kBehindFor{60'000};
constexpr Millis kRetryMost{60'000};

UtcTime slot_at_or_before(UtcTime t, Millis every) { return UtcTime{t.time_since_epoch() / every * every}; }

}  // namespace

Millis retry_window(Millis every) { return std::min(every / 4, kRetryMost); }

Schedule::Schedule(const std::vector<Poll>& polls) {
  for (const Poll& poll : polls) {
    State state;
    state.poll = poll;
    polls_.push_back(state);
  }
}

bool Schedule::advance(MonoTime now, UtcTime utc, const Allowed& excused, Why why) {
  const bool started = clock_.looked();
  const bool stepped = clock_.look({now, utc}) != Millis{0};
  for (std::size_t i = 0; i < polls_.size(); ++i) {
    State& state = polls_[i];
    const Millis every = state.poll.every;
    if (every == Millis{0}) continue;
    if (!started || stepped) {
      state.next_slot = slot_at_or_before(utc, every) + every;
      state.slot.reset();
      continue;
    }
    if (utc < state.next_slot) continue;
    const UtcTime newest = slot_at_or_before(utc, every);
    if (!excused(state.poll.meter)) {
      if (why == Why::kOverload) wanted_ += (newest - state.next_slot) / every + 1;
      if (state.due && state.slot) miss(state, i, *state.slot, *state.slot, why, now);
      if (newest > state.next_slot) miss(state, i, state.next_slot, newest - every, why, now);
    }
    state.due = true;
    state.slot = newest;
    state.next_slot = newest + every;
  }
  if (behind_ && now >= behind_until_) behind_ = false;
  return stepped;
}

void Schedule::miss(State& state, std::size_t index, UtcTime from, UtcTime to, Why why, MonoTime now) {
  Missed& missed = state.missed[static_cast<std::size_t>(why)];
  if (missed.count == 0) missed.from = from;
  missed.poll = index;
  missed.to = to;
  missed.count += (to - from) / state.poll.every + 1;
  missed.why = why;
  if (why == Why::kPause) return;
  missed_ += (to - from) / state.poll.every + 1;
  behind_ = true;
  behind_until_ = now + std::max(kBehindFor, state.poll.every * 2);
}

bool Schedule::goes_before(const State& a, const State& b) const {
  if (behind_ || a.poll.every == Millis{0}) {
    if (a.poll.every != b.poll.every) return a.poll.every > b.poll.every;
    if (a.taken != b.taken) return a.taken < b.taken;
  }
  return a.poll.meter < b.poll.meter;
}

std::optional<std::size_t> Schedule::pick(bool back_to_back, const Allowed& allowed) const {
  const State* best = nullptr;
  for (const State& state : polls_) {
    if (!state.due || (state.poll.every == Millis{0}) != back_to_back || !allowed(state.poll.meter)) continue;
    if (best == nullptr || goes_before(state, *best)) best = &state;
  }
  if (best == nullptr) return std::nullopt;
  return best->poll.meter;
}

std::vector<Schedule::Due> Schedule::take(std::size_t meter, MonoTime now, UtcTime utc) {
  std::vector<Due> due;
  for (std::size_t i = 0; i < polls_.size(); ++i) {
    State& state = polls_[i];
    if (!state.due || state.poll.meter != meter) continue;
    Due entry{i, state.slot};
    const bool late = entry.slot && utc - *entry.slot > std::max(state.poll.every, kRetryMost);
    if (late) entry.slot.reset();
    due.push_back(entry);
    state.due = false;
    state.slot.reset();
    state.taken = now;
  }
  return due;
}

void Schedule::done(std::size_t poll) {
  if (polls_[poll].poll.every == Millis{0}) polls_[poll].due = true;
}

bool Schedule::due(std::size_t meter) const {
  return std::any_of(polls_.begin(), polls_.end(), [&](const State& s) { return s.due && s.poll.meter == meter; });
}

MonoTime Schedule::next(MonoTime now, UtcTime utc) const {
  MonoTime next = now + std::chrono::seconds(60);
  for (const State& state : polls_) {
    if (state.poll.every > Millis{0}) next = std::min(next, now + std::max(Millis{0}, state.next_slot - utc));
  }
  return next;
}

std::vector<Schedule::Missed> Schedule::take_missed() {
  std::vector<Missed> out;
  for (State& state : polls_) {
    for (Missed& missed : state.missed) {
      if (missed.count > 0) out.push_back(std::exchange(missed, Missed{}));
    }
  }
  return out;
}

}  // namespace metergate
