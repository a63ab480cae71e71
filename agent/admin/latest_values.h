#pragma once

#include <map>
#include <mutex>
#include <string>

#include "agent/protocol/codec.h"

namespace metergate {

struct LatestValue {
  Value value;
  UtcTime at{};
};
using PointValues = std::map<std::string, LatestValue>;  ///< by point

/// The latest value of each point, for the status page. Holds no more than the profiles have points. Any thread.
class LatestValues {
 public:
  void take(const Reading& reading) {
    const std::lock_guard<std::mutex> hold(mutex_);
    PointValues& points = meters_[reading.meter];
    for (const auto& [point, value] : reading.values) points[point] = {value, reading.stamp.at};
  }
  PointValues of(const std::string& meter) const {
    const std::lock_guard<std::mutex> hold(mutex_);
    const auto found = meters_.find(meter);
    return found == meters_.end() ? PointValues{} : found->second;
  }

 private:
  mutable std::mutex mutex_;  // guards meters_
  std::map<std::string, PointValues> meters_;
};

}  // namespace metergate
