#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "agent/base/clock.h"

namespace metergate {

/// A state that repeats is logged when it changes, and then once a pause with a count. Safe for concurrent calls.
class LogThrottle {
 public:
  /// Sources that are remembered at once. One more, and the source that was logged longest ago is forgotten: its next
  /// state counts as new.
  static constexpr std::size_t kMostSources = 1000;
  static constexpr std::size_t kLongestText = 200;  ///< bytes of a source and of a state that are compared

  explicit LogThrottle(Millis pause = std::chrono::hours(1)) : pause_(pause) {}
  /// How many times `state` of `source` was seen since it was last logged (>= 1) when it is to be logged now, else 0.
  std::int64_t due(const std::string& source, const std::string& state, MonoTime now);
  std::size_t sources() const;

 private:
  struct Entry {
    std::string state;
    MonoTime logged;
    std::int64_t count = 0;
  };
  Millis pause_;
  mutable std::mutex mutex_;  // guards entries_
  std::map<std::string, Entry> entries_;
};

/// Of a thing that changes: the first changes are logged as they come, and of one that changes all the time one in ten
/// minutes, with a count. One object for each thing. One thread.
class ChangeThrottle {
 public:
  static constexpr int kAtOnce = 6;  ///< changes that are logged as they come; one more every kPause
  static constexpr Millis kPause{600'000};

  /// How many changes there were since one was last logged (>= 1) when this one is to be logged, else 0.
  std::int64_t due(MonoTime now);

 private:
  MonoTime spent_until_ = MonoTime::min();
  std::int64_t count_ = 0;
};

}  // namespace metergate
