#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/log.h"
#include "agent/bus/poll_job.h"
#include "agent/bus/ratio_watch.h"
#include "agent/bus/serial_registry.h"
#include "agent/bus/throttled_value.h"
#include "agent/bus/unsupported_points.h"
#include "agent/config/site.h"
#include "agent/protocol/events.h"

namespace metergate {

/// What the answers of one meter tell of the meter itself: a counter that fell, another meter in its place, transformer
/// ratios that were set anew, points that it refuses. Nothing is repaired: values go up as they were read. Kept in the
/// store's memory, so that what happened while the agent was off is noticed. Owned by the bus's thread.
class MeterMonitor {
 public:
  struct Parts {
    const BusConfig& config;
    std::size_t meter;
    KeyValueStore& memory;
    SerialRegistry& serials;
    Events& events;
    Log& log;
    const Clock& clock;
  };
  static constexpr Millis kSerialKept{86'400'000};   ///< read again after so long
  static constexpr Millis kSerialPause{60'000};      ///< after a read for a counter that fell
  static constexpr Millis kUnansweredPause{10'000};  ///< and this, growing fourfold to a day, where it has no answer

  /// Takes up what an earlier process kept. Waits for the store.
  explicit MeterMonitor(Parts parts);

  UnsupportedPoints& refused() { return refused_; }
  const UnsupportedPoints& refused() const { return refused_; }
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
  /// Likewise, and it may have changed its mind about what it refuses.
  void silent();
  /// Remembers what changed, not more often than flash memory should be written.
  void keep(MonoTime now);

 private:
  struct Counter {
    const Point* point;
    std::optional<Decimal> last;
  };
  struct Owed {  // a flag, for the next reading of a poll
    std::size_t poll;
    const Point* point;
    std::string flag;
  };
  enum class How { kFell, kReset, kWrapped };

  const MeterConfig& config() const { return p_.config.meters[p_.meter]; }
  const std::string& id() const { return config().spec.id; }
  std::vector<std::size_t> fallen_in(const PollJob& job) const;
  std::optional<std::string> serial_in(const PollJob& job) const;
  bool ask_identity(PollJob& job, MonoTime now);
  void identified(MonoTime now, bool by_doubt);
  void take_serial(const std::string& found, const PollJob& job);
  void take_ratios(const PollJob& job);
  void tell_exchange(const std::string& found, const PollJob& job);
  void tell_mismatch(const std::string& found);
  void take_counters(const PollJob& job);
  void tell_fall(const Counter& counter, const Decimal& value);
  static How how_it_fell(const Point& point, const Decimal& from, const Decimal& to);
  std::string basis() const;
  std::string text() const;
  void restore(const std::string& text);

  Parts p_;
  const Point* serial_point_;
  std::vector<Counter> counters_;  // those that are polled
  RatioWatch ratios_;
  UnsupportedPoints refused_;
  ThrottledValue values_, refused_memory_;
  std::string own_;        // the last serial number that it showed
  bool sure_ = false;      // it showed it since it was last out of sight
  bool due_ = true;        // its number and its ratios are to be read
  MonoTime not_before_{};  // but not sooner
  Millis pause_ = kUnansweredPause;
  MonoTime shown_{};
  std::string told_;  // the number that was last compared with what is known
  std::vector<Owed> owed_;
  struct {
    bool second_read = false, identity = false, counters = false;
  } round_;  // what was asked more in it
};

}  // namespace metergate
