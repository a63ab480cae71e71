#pragma once

#include <algorithm>
#include <cstddef>

#include "agent/base/clock.h"

namespace metergate {

/// How many bytes of a backlog may be in flight: what the link takes in about a second. A message that is acknowledged
/// within the second it was queued for tells that the link takes more, one that took longer that it takes less. Where a
/// round trip alone takes over a second, one message at a time is left. Pure.
class SendWindow {
 public:
  static constexpr std::size_t kLeast = 4 << 10;
  static constexpr std::size_t kMost = 4 << 20;

  std::size_t bytes() const { return bytes_; }

  /// A message was acknowledged `took` after it was sent, when `queued` bytes were in flight, itself among them.
  void acked(std::size_t queued, Nanos took) {
    const double ratio = 1e9 / static_cast<double>(std::max<Nanos::rep>(took.count(), 1));
    const double taken = std::min(static_cast<double>(queued) * ratio, static_cast<double>(kMost));
    const auto fits = static_cast<std::size_t>(taken);
    bytes_ = ratio < 1 ? (bytes_ + fits) / 2 : std::clamp(fits, bytes_, bytes_ * 2);
    bytes_ = std::clamp(bytes_, kLeast, kMost);
  }
  /// The next connection may go another way.
  void lost() { bytes_ = kLeast; }

 private:
  std::size_t bytes_ = kLeast;
};

}  // namespace metergate
