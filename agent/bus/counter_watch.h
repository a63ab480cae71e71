#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/bus/poll_job.h"

namespace metergate {

/// The counters of one meter that are polled: which of them fell, and how, and which rose more than their profile says
/// is possible. Nothing is repaired: values go up as they were read, and a fall is flagged in the next reading of each
/// poll that holds the point. A rise that is not possible is flagged `implausible`, and nothing is compared with it.
/// Pure; one thread.
class CounterWatch {
 public:
  struct Counter {
    const Point* point;
    std::optional<Decimal> last;
    std::optional<MonoTime> changed;  // when `last` was first seen, where that is known
  };
  struct Fall {
    const Point* point;
    Decimal from, to;
    std::string how;  ///< "fell", "reset" (to about zero), "wrapped" (where the profile says that it does)
  };
  struct Taken {
    bool changed = false;
    std::vector<Fall> falls;
  };

  /// A rise is compared with that of a minute at least: a meter may bring its registers up to date that seldom.
  static constexpr Millis kLeastRiseTime{60'000};

  CounterWatch(const BusConfig& bus, std::size_t meter);

  const std::vector<Counter>& counters() const { return counters_; }
  std::vector<const Point*> points() const;
  /// Those that this round shows lower than before.
  std::vector<const Point*> fallen_in(const PollJob& job) const;
  /// Takes what this round brought as what the next is compared with.
  Taken take(const PollJob& job, MonoTime now);
  /// Another meter: there is nothing to compare with, and nothing to flag.
  void forget();
  /// Adds the flags that a reading of the poll has to carry, once.
  void mark(Reading& reading, std::size_t poll);

  /// ` NAME=VALUE ...`, as restore() takes it one by one; another name is not taken.
  std::string text() const;
  void restore(const std::string& name, const std::string& value);
  /// When what was restored had been seen.
  void restore_time(MonoTime seen);

 private:
  struct Owed {  // a flag, for the next reading of a poll
    std::size_t poll;
    const Point* point;
    std::string flag;
  };
  void owe(const Point& point, const std::string& flag);

  const BusConfig& bus_;
  std::size_t meter_;
  std::vector<Counter> counters_;
  std::vector<Owed> owed_;
};

}  // namespace metergate
