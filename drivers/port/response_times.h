#pragma once

#include <array>
#include <optional>

#include "agent/base/clock.h"

namespace metergate {

/// How long one unit takes until its answer begins, and how long it is worth waiting for it. Pure; one thread.
class ResponseTimes {
 public:
  static constexpr int kEnough = 20;       ///< answers running before a deadline is drawn from them
  static constexpr Millis kShortest{200};  ///< deadline
  static constexpr std::chrono::hours kKept{24};

  void answered(Micros took, MonoTime now);
  /// Nothing came in time for the request of that time.
  void unanswered(MonoTime asked);
  /// Its answer came after all.
  void late(MonoTime now);

  /// Twice the slowest answer of the last 24 h, late answers included, at least kShortest and at most `timeout`. Just
  /// `timeout` until kEnough answers came, and again after each unanswered request. (Kept by hours: up to 25 h.)
  Nanos deadline(Nanos timeout, MonoTime now) const;
  Micros slowest(MonoTime now) const;
  /// A running mean that one slow answer moves only a little; none before the first answer.
  std::optional<Micros> usual() const { return usual_; }

 private:
  static constexpr std::size_t kHours = 25;
  void note(Micros took, MonoTime now);

  struct Hour {
    std::int64_t number = -1;  // since the clock's begin
    Micros slowest{0};
  };
  std::array<Hour, kHours> hours_;
  std::optional<Micros> usual_;
  int running_ = 0;
  std::optional<MonoTime> unanswered_;
};

}  // namespace metergate
