#include "agent/clock_watch.h"

#include "agent/json.h"

namespace metergate {

namespace {
constexpr Millis kStep{1000};
constexpr Millis kLook{500};
}  // namespace

MonoTime ClockWatch::step(MonoTime now) {
  const Moment moment = moment_of(clock_);
  const Stamp stamp{moment.utc, clock_.synced()};
  const Millis offset =
      moment.utc.time_since_epoch() - std::chrono::duration_cast<Millis>(moment.mono.time_since_epoch());
  if (offset_ && std::chrono::abs(offset - *offset_) > kStep) {
    const std::int64_t delta = (offset - *offset_).count();
    JsonWriter json;
    json.begin_object().member("delta_ms", delta).key("last").begin_object();
    for (const Lane lane : kAllLanes) json.member(lane_name(lane), last_[static_cast<std::size_t>(lane)]);
    json.end_object().end_object();
    outbox_.append({event_draft(stamp, "clock_stepped", json.take())});
    log_.warn("clock stepped", {{"delta_ms", std::to_string(delta)}});
  }
  offset_ = offset;
  const StoreState state = outbox_.state();
  for (const Lane lane : kAllLanes) {
    const auto i = static_cast<std::size_t>(lane);
    last_[i] = state.lanes[i].last_seq;
  }
  return now + kLook;
}

}  // namespace metergate
