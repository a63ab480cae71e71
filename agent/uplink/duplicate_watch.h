#pragma once

#include <atomic>
#include <string>

#include "agent/base/clock.h"

namespace metergate {

/// Whether another gateway uses this one's id: its epoch was read on the status topic.
class DuplicateWatch {
 public:
  static constexpr Millis kQuarantine{600'000};
  static constexpr Millis kAnswerEvery{10'000};
  /// The other gateway ignores a status that comes before its own first `online` is acknowledged.
  static constexpr Millis kAnswerAfter{2'000};

  /// True: the other gateway does not know of this one yet. Publish our own status kAnswerAfter from now. One thread.
  bool seen(const std::string& epoch, MonoTime now) {
    const bool fresh = epoch != last_ && now >= answer_after_;
    last_ = epoch;
    if (fresh) answer_after_ = now + kAnswerEvery;  // three gateways would answer each other for ever
    until_ = (now + kQuarantine).time_since_epoch().count();
    return fresh;
  }
  /// Any thread.
  bool writes_allowed(MonoTime now) const { return now.time_since_epoch().count() >= until_; }

 private:
  std::string last_;
  MonoTime answer_after_ = MonoTime::min();
  std::atomic<Nanos::rep> until_{MonoTime::min().time_since_epoch().count()};
};

}  // namespace metergate
