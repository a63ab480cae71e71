#pragma once

#include <array>
#include <optional>

#include "agent/base/clock.h"
#include "agent/uplink/source.h"

namespace metergate {

/// Finds the source at whose message a broker ends the connection. One that had a message in flight at three losses and
/// none acknowledged in between is suspect; while there is a suspect one message is in flight at a time. A suspect that
/// is alone in flight at a loss is refused if the broker acknowledged a message of another source since its first loss:
/// it is tried alone again at pauses from 10 s to 1 h. Without such a message the broker may take nothing at all, and
/// no source is to blame; the suspect then steps back, so that the others show it. Pure.
class RefusedLanes {
 public:
  static constexpr int kLosses = 3;
  static constexpr Millis kPauseMin{10'000};
  static constexpr Millis kPauseMax{3'600'000};

  bool allows(Source source, const SourceSet& in_flight, MonoTime now) const;
  /// True when this ends a refusal; then the others that are refused may be tried at once, too.
  bool acked(Source source, MonoTime now);
  /// The source that is refused from now on, if one is.
  std::optional<Source> lost(const SourceSet& in_flight, MonoTime now);
  /// It has nothing to send and nothing in flight.
  void idle(Source source, MonoTime now);
  /// Nobody else has anything to send: those that stepped back may go. False: there are none.
  bool step_forward();
  /// The broker was away: it may be another one, or take other messages now. What is refused may be tried at once.
  void broker_changed(MonoTime now);

  bool refused(Source source) const { return at(source).refused; }
  /// When a refused source is to be tried again; MonoTime::max() if none is.
  MonoTime next_try() const;

 private:
  struct Entry {
    int losses = 0;
    bool others_acked = false;  // since the first of the losses
    bool stepped_back = false;
    bool refused = false;
    Millis pause{0};
    MonoTime next_try{};
  };
  const Entry& at(Source source) const { return entries_[index_of(source)]; }
  Entry& at(Source source) { return entries_[index_of(source)]; }
  std::array<Entry, kSources> entries_;
};

}  // namespace metergate
