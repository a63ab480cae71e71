#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "agent/base/clock_step.h"

namespace metergate {

/// When the polls of one bus are due: at Unix time k * every. Pure; one thread.
///
/// Meters due together come in the order of the flags. While slots are being missed the longest interval goes first and
/// equal ones take turns, so that a billing poll survives and short ones are thinned evenly.
class Schedule {
 public:
  struct Poll {
    std::size_t meter = 0;
    Millis every{0};  ///< 0: back to back, whenever nothing else is due
  };
  struct Due {
    std::size_t poll = 0;
    std::optional<UtcTime> slot;  ///< none for the reading at start and for back to back
  };
  enum class Why { kOverload, kPause };
  struct Missed {
    std::size_t poll = 0;
    UtcTime from{}, to{};
    std::int64_t count = 0;
    Why why = Why::kOverload;
  };
  using Allowed = std::function<bool(std::size_t meter)>;

  /// Every poll is due once at once.
  explicit Schedule(const std::vector<Poll>& polls);

  /// Takes note of the slots that have come. A slot that finds its poll still waiting is missed, unless `excused` says
  /// that the meter cannot be asked at all. A step of the wall clock moves the slots and misses none. Returns true on
  /// such a step.
  bool advance(MonoTime now, UtcTime utc, const Allowed& excused, Why why = Why::kOverload);

  /// The meter to ask next among the allowed ones. `back_to_back`: those, or those with a slot.
  std::optional<std::size_t> pick(bool back_to_back, const Allowed& allowed) const;

  /// Takes the due polls of a meter out. A slot that is long over (the meter was silent) is no longer told.
  std::vector<Due> take(std::size_t meter, MonoTime now, UtcTime utc);

  /// Lets a back to back poll be due again.
  void done(std::size_t poll);

  bool due(std::size_t meter) const;
  /// When the next slot comes.
  MonoTime next(MonoTime now, UtcTime utc) const;
  /// What was missed since the last call.
  std::vector<Missed> take_missed();
  /// Slots are being missed now because there are too many.
  bool behind() const { return behind_; }
  /// Slots that came while their meter could be asked, and those among them that were not missed or not yet. Since the
  /// start; back to back polls have none.
  std::int64_t wanted() const { return wanted_; }
  std::int64_t kept() const { return wanted_ - missed_; }

 private:
  struct State {
    Poll poll;
    UtcTime next_slot{};
    bool due = true;
    std::optional<UtcTime> slot;
    MonoTime taken{};
    std::array<Missed, 2> missed;  // by Why
  };
  bool goes_before(const State& a, const State& b) const;
  void miss(State& state, std::size_t index, UtcTime from, UtcTime to, Why why, MonoTime now);

  std::vector<State> polls_;
  ClockStep clock_;
  std::int64_t wanted_ = 0, missed_ = 0;
  bool behind_ = false;
  MonoTime behind_until_{};
};

/// How long what failed in a slot is tried again: a quarter of the interval, at most 60 s.
Millis retry_window(Millis every);

}  // namespace metergate
