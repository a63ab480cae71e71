#pragma once

#include <atomic>

#include "drivers/bus.h"

namespace metergate {

/// What a bus counts of its transactions. Owned by the bus's thread, but for counters().
class BusTally {
 public:
  std::atomic<std::int64_t> guards{0}, late_bytes{0}, late_frames{0}, foreign_frames{0}, opened{0};

  void sent() { ++requests_; }
  /// `error` null: an answer.
  void ended(const Error* error);
  BusCounters counters() const;  ///< from any thread

  /// Adds the time of a scope to the time that the bus was busy.
  class Busy {
   public:
    Busy(BusTally& tally, const Clock& clock) : tally_(tally), clock_(clock), start_(clock.mono()) {}
    ~Busy() { tally_.busy_us_ += std::chrono::duration_cast<Micros>(clock_.mono() - start_).count(); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    BusTally& tally_;
    const Clock& clock_;
    MonoTime start_;
  };

 private:
  std::atomic<std::int64_t> requests_{0}, answers_{0}, timeouts_{0}, crc_{0}, garbled_{0}, exceptions_{0}, bus_down_{0},
      busy_us_{0};
};

}  // namespace metergate
