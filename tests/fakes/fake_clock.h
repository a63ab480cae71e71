#pragma once

#include "agent/base/clock.h"

namespace metergate {

/// A clock that moves only when told. sleep_until moves it.
class FakeClock : public Clock {
 public:
  MonoTime mono() const override { return mono_; }
  UtcTime utc() const override { return utc_; }
  bool synced() const override { return synced_; }
  void sleep_until(MonoTime t) const override {
    if (t > mono_) advance(t - mono_);
  }

  void advance(Nanos d) const {
    mono_ += d;
    exact_ += d;
    utc_ = std::chrono::time_point_cast<Millis>(exact_);
  }
  /// Sets the wall clock only, as a step does.
  void step_utc(UtcTime t) { exact_ = utc_ = t; }
  void set_synced(bool synced) { synced_ = synced; }

 private:
  mutable MonoTime mono_{std::chrono::hours(1)};
  mutable std::chrono::time_point<std::chrono::system_clock, Nanos> exact_{std::chrono::hours(24 * 365 * 56)};
  mutable UtcTime utc_{std::chrono::hours(24 * 365 * 56)};
  bool synced_ = true;
};

}  // namespace metergate
