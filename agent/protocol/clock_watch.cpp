#include "agent/protocol/clock_watch.h"

#include "agent/base/json.h"

namespace metergate {

namespace {
constexpr Millis kLook{500};
}  // namespace

void ClockWatch::look() {
  // Until the step is handed over: of two threads that look at the same step one tells it, and what the other stamps
  // by the new clock comes behind it.
  const std::lock_guard<std::mutex> hold(mutex_);
  const Moment moment = moment_of(clock_);
  const std::int64_t delta = step_.look(moment).count();
  if (delta == 0) return;
  const Stamp stamp{moment.utc, clock_.synced()};
  Draft draft = event_draft(stamp, "clock_stepped", "{}");
  draft.late_body = [stamp, delta](const std::array<std::int64_t, kLanes>& last) {
    JsonWriter json;
    json.begin_object().member("delta_ms", delta).key("last").begin_object();
    for (const Lane lane : kAllLanes) json.member(lane_name(lane), last[static_cast<std::size_t>(lane)]);
    json.end_object().end_object();
    return event_draft(stamp, "clock_stepped", json.take()).body;
  };
  outbox_.append({std::move(draft)});
  log_.warn("clock stepped", {{"delta_ms", std::to_string(delta)}});
}

MonoTime ClockWatch::step(MonoTime now) {
  look();
  return now + kLook;
}

}  // namespace metergate
