#pragma once

#include <algorithm>
#include <utility>

#include "agent/base/clock.h"
#include "agent/base/random.h"

namespace metergate {

/// Exponential backoff with full jitter: the pause is drawn from [min, min * 2^tries], capped by max.
class Backoff {
 public:
  Backoff(Millis min, Millis max, Draw draw) : min_(min), max_(max), ceiling_(min), draw_(std::move(draw)) {}

  Millis next() {
    const Millis top = ceiling_;
    ceiling_ = std::min(max_, ceiling_ * 2);
    const auto spread = static_cast<double>((top - min_).count());
    return min_ + Millis{static_cast<Millis::rep>(spread * draw_())};
  }
  void reset() { ceiling_ = min_; }

 private:
  Millis min_;
  Millis max_;
  Millis ceiling_;
  Draw draw_;
};

}  // namespace metergate
