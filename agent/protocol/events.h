#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "agent/protocol/codec.h"
#include "store/outbox.h"

namespace metergate {

/// Events on their way to the outbox: one a minute per name and source; what repeats in between is told then, the
/// latest detail with a count. Safe for concurrent calls.
class Events {
 public:
  Events(Outbox& outbox, const Clock& clock) : outbox_(outbox), clock_(clock) {}

  /// `members`: the detail's JSON members without braces.
  void tell(const std::string& name, const std::string& source, const std::string& members);
  /// Sends what was held back and is due. Returns when it wants to be called next.
  MonoTime step(MonoTime now);
  /// At the end: sends all that is held back.
  void finish() { send_held(MonoTime::max()); }

 private:
  MonoTime send_held(MonoTime now);
  struct Held {
    MonoTime sent;
    std::int64_t count = 0;
    std::string members;
    Stamp stamp;
  };
  Outbox& outbox_;
  const Clock& clock_;
  std::mutex mutex_;  // guards held_
  std::map<std::pair<std::string, std::string>, Held> held_;
};

}  // namespace metergate
