#pragma once

#include <algorithm>
#include <utility>

#include "agent/base/backoff.h"

namespace metergate {

/// How long to wait before the next connect to the broker, and how long for its answer, so that a fleet whose broker
/// was away comes back without overwhelming it (tests/bench/fleet_model.cpp shows how fast). Pure.
///
/// A refused connect costs the broker nothing: the pauses stay short. A broker that takes the connection and does not
/// answer is working for others: a client that leaves before its turn has made it work for nothing, so the patience
/// grows as well as the pauses. The two kinds of pause grow apart from each other.
class ReconnectPauses {
 public:
  static constexpr Millis kFirst{10'000};         ///< the first pause is drawn from up to here
  static constexpr Millis kSilentFirst{60'000};   ///< the same after a try that got no answer
  static constexpr int kSilentFactor = 20;        ///< times the upper bound: that of pauses after no answer
  static constexpr Millis kPatience{60'000};      ///< for the answer of a broker that took the connection,
  static constexpr Millis kPatienceMax{240'000};  ///< doubling up to here

  /// Pauses are never shorter than `min`; after a loss or a refusal never longer than `max`.
  ReconnectPauses(Millis min, Millis max, Draw draw)
      : refused_({min, kFirst, max, 1.5}, draw),
        silent_({min, kSilentFirst, max * kSilentFactor, 2}, std::move(draw)) {}

  /// After a connection was lost, or could not be made.
  Millis after_refusal() { return refused_.next(); }
  /// After patience() went by without an answer.
  Millis after_silence() {
    patience_ = std::min(kPatienceMax, patience_ * 2);
    return silent_.next();
  }
  /// For the answer to the next connect.
  Millis patience() const { return patience_; }
  /// The link was stable.
  void reset() {
    refused_.reset();
    silent_.reset();
    patience_ = kPatience;
  }

 private:
  Backoff refused_, silent_;
  Millis patience_ = kPatience;
};

}  // namespace metergate
