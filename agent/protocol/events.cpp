#include "agent/protocol/events.h"

#include <algorithm>

namespace metergate {

namespace {
constexpr std::chrono::minutes kPause{1};
}

void Events::tell(const std::string& name, const std::string& source, const std::string& members) {
  const MonoTime now = clock_.mono();
  const Stamp stamp = stamp_of(clock_);
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    const auto [it, fresh] = held_.try_emplace({name, source});
    Held& held = it->second;
    if (!fresh && now - held.sent < kPause) {
      ++held.count;
      held.members = members;
      held.stamp = stamp;
      return;
    }
    held.sent = now;
  }
  outbox_.append({event_draft(stamp, name, "{" + members + "}")});
}

MonoTime Events::step(MonoTime now) { return std::min(send_held(now), now + kPause); }

/// Returns when the next is due.
MonoTime Events::send_held(MonoTime now) {
  std::vector<Draft> drafts;
  MonoTime next = MonoTime::max();
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    for (auto it = held_.begin(); it != held_.end();) {
      Held& held = it->second;
      if (now - held.sent < kPause) {
        next = std::min(next, held.sent + kPause);
        ++it;
        continue;
      }
      if (held.count == 0) {
        it = held_.erase(it);
        continue;
      }
      const std::string comma = held.members.empty() ? "" : ",";
      drafts.push_back(event_draft(held.stamp, it->first.first,
                                   "{" + held.members + comma + "\"count\":" + std::to_string(held.count) + "}"));
      held.count = 0;
      held.sent = now;
      ++it;
    }
  }
  if (!drafts.empty()) outbox_.append(std::move(drafts));
  return next;
}

}  // namespace metergate
