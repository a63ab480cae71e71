#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "agent/base/clock.h"

namespace metergate {

/// Results that are to be republished because their command was repeated, each at most once a second. Safe for
/// concurrent calls.
class RepublishQueue {
 public:
  static constexpr std::size_t kMost = 1000;
  static constexpr Millis kPause{1000};

  /// False: there is no room, it was not taken. One that waits already is not taken twice.
  bool add(std::int64_t key);
  /// At most `most` that may go now.
  std::vector<std::int64_t> due(std::size_t most, MonoTime now) const;
  /// It was published, or will never be.
  void done(std::int64_t key, MonoTime now);
  /// When there is something to take; MonoTime::max() if nothing waits.
  MonoTime next(MonoTime now) const;
  std::int64_t dropped() const;

 private:
  mutable std::mutex mutex_;  // guards all below
  std::set<std::int64_t> wanted_;
  std::map<std::int64_t, MonoTime> published_;  // older than kPause: as if it were not there
  std::int64_t dropped_ = 0;
};

}  // namespace metergate
