#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/base/clock.h"

namespace metergate {

/// Whether a second master talks on a bus: more than ten frames a minute that are none of ours. Pure; one thread.
class SecondMasterWatch {
 public:
  static constexpr int kMost = 10;
  static constexpr std::chrono::minutes kWindow{1};

  /// After each transaction: a line is heard only then, so what came since the last one came over that time. How many
  /// frames told it, when it begins.
  std::optional<std::int64_t> look(std::int64_t frames, MonoTime now) {
    if (!since_) restart(frames, now);
    const std::int64_t heard = frames - before_;
    const Nanos time = now - *since_;
    const bool many = heard * Nanos(kWindow) > kMost * std::max<Nanos>(time, kWindow);
    if (time < kWindow && (talks_ || !many)) return std::nullopt;
    restart(frames, now);
    return std::exchange(talks_, many) || !many ? std::nullopt : std::optional(heard);
  }
  bool talks() const { return talks_; }

 private:
  void restart(std::int64_t frames, MonoTime now) {
    since_ = now;
    before_ = frames;
  }
  std::optional<MonoTime> since_;
  std::int64_t before_ = 0;
  bool talks_ = false;
};

}  // namespace metergate
