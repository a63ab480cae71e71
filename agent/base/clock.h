#pragma once

#include <chrono>
#include <cstdint>

namespace metergate {

using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;
using Nanos = std::chrono::nanoseconds;

/// For waiting and for ages. Never steps, does not survive a restart.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Nanos>;
/// For stamps only: steps when the clock is set. Milliseconds since 1970 in 64 bits, also where time_t has 32.
using UtcTime = std::chrono::time_point<std::chrono::system_clock, Millis>;

inline std::int64_t to_ms(UtcTime t) { return t.time_since_epoch().count(); }
inline UtcTime from_ms(std::int64_t ms) { return UtcTime{Millis{ms}}; }

/// The only source of time, and the only place that sleeps. Safe for concurrent calls.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime mono() const = 0;
  virtual UtcTime utc() const = 0;
  /// What the kernel says of the wall clock (adjtimex(2): not STA_UNSYNC), or true where the operator vouches for it.
  virtual bool synced() const = 0;
  /// Returns at `t` or a little later (some 50 us on an idle machine).
  virtual void sleep_until(MonoTime t) const = 0;
};

class SystemClock : public Clock {
 public:
  explicit SystemClock(bool trusted = false) : trusted_(trusted) {}
  MonoTime mono() const override;
  UtcTime utc() const override;
  bool synced() const override;
  void sleep_until(MonoTime t) const override;

 private:
  bool trusted_;
};

/// Both clocks at one moment: the pair tells a step of the wall clock from a thread that was not scheduled in between.
struct Moment {
  MonoTime mono;
  UtcTime utc;
};
Moment moment_of(const Clock& clock);

}  // namespace metergate
