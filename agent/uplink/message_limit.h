#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

namespace metergate {

/// The size of message that the broker takes, where it ends the connection at larger ones only: after three losses with
/// a message in flight that is larger than any that it acknowledged since the first of them, the size of the largest
/// that it acknowledged, or half of the smallest that was lost. Pure.
class MessageLimit {
 public:
  static constexpr int kLosses = 3;
  static constexpr std::size_t kLeast = 1 << 10;  ///< a loss at a message that is not larger shows no limit
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  /// Messages of several records are kept to this size.
  std::size_t bytes() const { return limit_; }

  void acked(std::size_t bytes) {
    if (losses_ == 0) return;
    taken_ = std::max(taken_, bytes);
    if (bytes >= lost_) losses_ = 0;
  }
  /// `largest`: of the messages in flight. True: they show a limit, from now on.
  bool lost(std::size_t largest) {
    if (largest > limit_ || largest <= kLeast || (losses_ > 0 && largest <= taken_)) return false;
    if (losses_ == 0) taken_ = 0;
    lost_ = losses_ == 0 ? largest : std::min(lost_, largest);
    if (++losses_ < kLosses || taken_ == 0) return false;
    limit_ = std::max({kLeast, taken_, lost_ / 2});
    losses_ = 0;
    return true;
  }
  /// The broker was away: it may take other sizes now.
  void broker_changed() { *this = {}; }

 private:
  std::size_t limit_ = kNone;
  int losses_ = 0;         // that may be for the size
  std::size_t lost_ = 0;   // the smallest message at which they came
  std::size_t taken_ = 0;  // the largest that was acknowledged since the first of them
};

}  // namespace metergate
