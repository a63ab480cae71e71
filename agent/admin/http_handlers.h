#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/admin/http_responder.h"
#include "agent/admin/latest_values.h"
#include "agent/admin/status.h"
#include "agent/admin/status_history.h"
#include "agent/config/site.h"

namespace metergate {

/// What --http shows: `/`, `/metrics` and `/healthz`. Each is made at most once a second, however often it is
/// requested. One thread.
class HttpHandlers {
 public:
  /// What the pointers name outlives the handlers.
  struct Parts {
    std::function<Snapshot()> snapshot;
    std::function<std::vector<std::string>()> hanging;  ///< threads that do not show progress
    const Site* site = nullptr;
    const LatestValues* latest = nullptr;
    const Clock* clock = nullptr;
  };
  explicit HttpHandlers(Parts parts) : parts_(std::move(parts)) {}

  /// Takes a sample for the plots when it is time; returns when it wants to be called next.
  MonoTime step(MonoTime now);
  HttpAnswer answer(const std::string& path);

 private:
  struct Made {
    MonoTime until{MonoTime::min()};
    HttpAnswer answer;
  };
  HttpAnswer metrics() const;
  HttpAnswer health() const;
  HttpAnswer page() const;

  const Parts parts_;
  StatusHistory history_;
  MonoTime next_sample_{MonoTime::min()};
  Made metrics_, health_, page_;
};

}  // namespace metergate
