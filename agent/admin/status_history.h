#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "agent/admin/status.h"

namespace metergate {

/// What the plots of the status page show: the last hour of each bus's utilisation and of the backlog. Some 1 KiB a
/// bus. One thread.
class StatusHistory {
 public:
  static constexpr Millis kEvery{10'000};
  static constexpr std::size_t kSamples = 360;

  /// To be called every kEvery. A snapshot has the same buses each time.
  void add(const Snapshot& snapshot);

  /// Oldest first. Utilisation in parts of a thousand of the time between two samples.
  std::deque<std::uint16_t> utilisation(std::size_t bus) const {
    return bus < buses_.size() ? buses_[bus].utilisation : std::deque<std::uint16_t>{};
  }
  const std::deque<std::int64_t>& backlog() const { return backlog_; }  ///< records of all lanes

 private:
  struct Bus {
    std::int64_t busy_us = 0;
    std::deque<std::uint16_t> utilisation;
  };
  std::vector<Bus> buses_;
  std::deque<std::int64_t> backlog_;
  MonoTime last_{};
};

}  // namespace metergate
