#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// One caller that waits for the store's thread. Shared by both, since the caller may give up first.
class Completion {
 public:
  void settle(const Status& outcome) {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      if (!outcome_) outcome_ = outcome;
    }
    condition_.notify_one();
  }

  /// kStorage when it was not settled in time; then it is not wanted() any more.
  Status wait(Millis patience) {
    std::unique_lock<std::mutex> hold(mutex_);
    condition_.wait_for(hold, patience, [this] { return outcome_.has_value(); });
    if (!outcome_) outcome_ = Status(Error{Errc::kStorage, "the store did not answer in time"});
    return *outcome_;
  }

  bool wanted() {
    std::lock_guard<std::mutex> hold(mutex_);
    return !outcome_.has_value();
  }

 private:
  std::mutex mutex_;  // guards outcome_
  std::condition_variable condition_;
  std::optional<Status> outcome_;
};

}  // namespace metergate
