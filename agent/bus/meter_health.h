#pragma once

#include <algorithm>

#include "agent/base/clock.h"

namespace metergate {

/// Whether a meter lives. Silent: no valid frame (an exception is one) in 3 polls running and 10 s. A silent meter is
/// asked again at pauses that grow from 10 s to 5 min. Pure; one thread.
class MeterHealth {
 public:
  static constexpr int kPolls = 3;
  static constexpr Millis kFor{10'000};
  static constexpr Millis kPauseMin{10'000};
  static constexpr Millis kPauseMax{300'000};
  static constexpr Millis kCommandPause{2'000};

  bool silent() const { return silent_; }
  /// Unanswered since its last frame: worth one try, not several.
  bool doubtful() const { return failed_ > 0 || silent_; }
  MonoTime next_probe() const { return next_probe_; }
  bool command_allowed(MonoTime now) const { return !silent_ || now >= command_at_; }
  /// When a silent meter gets its next command.
  MonoTime command_at() const { return command_at_; }
  /// Its last command was left without a valid frame.
  bool left_command_unanswered() const { return command_unanswered_; }
  void on_unanswered_command(MonoTime began, MonoTime now) {
    command_unanswered_ = true;
    on_unanswered(began, now);
    if (silent_) next_probe_ = std::max(next_probe_, command_at_);
  }
  /// A request of a command or of a poll without a valid frame: while the meter is silent, the next try of either kind
  /// comes after a pause of 2 s, and one as long as this try took. So a long timeout does not fill the bus.
  void on_unanswered(MonoTime began, MonoTime now) {
    command_at_ = std::max<MonoTime>(began + kCommandPause, now + (now - began));
  }

  /// True when this ends a silence.
  bool on_frame() {
    const bool back = silent_;
    *this = MeterHealth{};
    return back;
  }

  /// A poll whose requests all stayed without a valid frame since `began`. True when the meter is silent from now on.
  bool on_failed_poll(MonoTime began, MonoTime now) {
    if (silent_) {
      pause_ = std::min(kPauseMax, pause_ * 2);
      next_probe_ = now + pause_;
      return false;
    }
    if (failed_++ == 0) since_ = began;
    if (failed_ < kPolls || now - since_ < kFor) return false;
    silent_ = true;
    next_probe_ = now + pause_;
    return true;
  }

  /// The port was opened anew: the silence may have been its fault.
  void ask_now(MonoTime now) {
    if (silent_) next_probe_ = now;
    pause_ = kPauseMin;
  }

 private:
  int failed_ = 0;
  MonoTime since_{};
  bool silent_ = false;
  Millis pause_ = kPauseMin;
  MonoTime next_probe_{};
  bool command_unanswered_ = false;
  MonoTime command_at_{};
};

}  // namespace metergate
