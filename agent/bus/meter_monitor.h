#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/bus/bus_parts.h"
#include "agent/bus/counter_watch.h"
#include "agent/bus/poll_job.h"
#include "agent/bus/ratio_watch.h"
#include "agent/bus/throttled_value.h"
#include "agent/bus/unsupported_points.h"

namespace metergate {

/// What the answers of one meter tell of the meter itself: a counter that fell, another meter in its place, transformer
/// ratios that were set anew, points that it does not support. Nothing is repaired: values go up as they were read.
/// Kept in the store, so that what happened while the agent was off is noticed. Owned by the bus's thread.
class MeterMonitor {
 public:
  static constexpr Millis kSerialKept{86'400'000};   ///< read again after so long
  static constexpr Millis kSerialPause{60'000};      ///< after a read for a counter that fell
  static constexpr Millis kUnansweredPause{10'000};  ///< and this, growing fourfold to a day, where it has no answer

  /// Takes up what an earlier process kept. Waits for the store.
  MeterMonitor(const BusParts& parts, std::size_t meter);

  UnsupportedPoints& unsupported() { return unsupported_; }
  const UnsupportedPoints& unsupported() const { return unsupported_; }
  /// The meter's own number, if it showed it since it was last out of sight; else that of --meter.
  std::string serial() const { return sure_ ? own_ : config().spec.serial; }

  /// Another round of a job begins: the serial number and the ratios are read along when that is due.
  void begin(PollJob& job, MonoTime now);
  /// A round is over. True: the job was given more to ask before its readings may be final.
  bool look(PollJob& job, MonoTime now);
  /// Adds serial number and flags to a reading that is final.
  void mark(Reading& reading, std::size_t poll);
  /// The port was closed, by whomever: the next answer may be another meter's.
  void out_of_sight();
  /// Likewise, and what it did not support it may support now.
  void silent();
  /// Stores what changed, not more often than flash memory should be written.
  void keep(MonoTime now);

 private:
  const MeterConfig& config() const { return p_.config->meters[meter_]; }
  const std::string& id() const { return config().spec.id; }
  std::optional<std::string> serial_in(const PollJob& job) const;
  bool ask_identity(PollJob& job, MonoTime now);
  void identified(MonoTime now, bool by_doubt);
  void take_serial(const std::string& found, const PollJob& job);
  void take_ratios(const PollJob& job);
  void tell_exchange(const std::string& found, const PollJob& job);
  void tell_mismatch(const std::string& found);
  void take_counters(const PollJob& job, MonoTime now);
  void tell_fall(const CounterWatch::Fall& fall);
  std::string basis(const Point& point) const;
  std::string text() const;
  std::vector<const Point*> kept_points() const;
  std::optional<MonoTime> seen_at(const std::string& text) const;
  void restore(const std::string& text);

  const BusParts& p_;
  std::size_t meter_;
  const Point* serial_point_;
  CounterWatch counters_;
  RatioWatch ratios_;
  UnsupportedPoints unsupported_;
  ThrottledValue kept_, kept_unsupported_;  // what is found again after a restart
  std::string own_;                         // the last serial number that it showed
  bool sure_ = false;                       // it showed it since it was last out of sight
  bool due_ = true;                         // its number and its ratios are to be read
  MonoTime not_before_{};                   // but not sooner
  Millis pause_ = kUnansweredPause;
  MonoTime shown_{};
  std::string told_;  // the number that was last compared with what is known
  struct {
    bool second_read = false, identity = false, counters = false;
  } round_;  // what was asked more in it
};

}  // namespace metergate
