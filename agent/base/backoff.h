#pragma once

#include <algorithm>
#include <utility>

#include "agent/base/clock.h"
#include "agent/base/random.h"

namespace metergate {

/// Exponential backoff with full jitter: each pause is drawn from [min, ceiling]. The ceiling starts at `first` and
/// grows by `factor` with each pause, up to `max`.
class Backoff {
 public:
  struct Range {
    Millis min, first, max;
    double factor = 2;
  };
  Backoff(Range range, Draw draw) : range_(range), draw_(std::move(draw)) { reset(); }
  /// The first pause is `min`, the ceiling doubles.
  Backoff(Millis min, Millis max, Draw draw) : Backoff(Range{min, min, max, 2}, std::move(draw)) {}

  Millis next() {
    const Millis top = ceiling_;
    ceiling_ = std::min(range_.max, scaled(ceiling_, range_.factor));
    return range_.min + scaled(top - range_.min, draw_());
  }
  void reset() { ceiling_ = std::clamp(range_.first, range_.min, range_.max); }

 private:
  static Millis scaled(Millis d, double by) {
    return Millis{static_cast<Millis::rep>(static_cast<double>(d.count()) * by)};
  }
  Range range_;
  Millis ceiling_{};
  Draw draw_;
};

}  // namespace metergate
