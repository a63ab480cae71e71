#pragma once

#include <condition_variable>
#include <mutex>

#include "agent/base/clock.h"

namespace metergate {

/// Ends another thread's wait. A hint: a wake may come twice or early, so the woken thread looks at the state again.
/// A wake that comes before the wait is not lost.
class Wake {
 public:
  void notify() {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      woken_ = true;
    }
    condition_.notify_one();
  }

  void wait_until(MonoTime t) {
    std::unique_lock<std::mutex> hold(mutex_);
    condition_.wait_until(hold, t, [this] { return woken_; });
    woken_ = false;
  }

 private:
  std::mutex mutex_;  // guards woken_
  std::condition_variable condition_;
  bool woken_ = false;
};

}  // namespace metergate
