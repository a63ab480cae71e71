#include "agent/lane_sender.h"

#include "agent/record_frame.h"

namespace metergate {

Result<std::optional<LaneSender::Outgoing>> LaneSender::next(Limits limits) {
  if (!cursor_) {
    const auto key = outbox_.delivered_key(lane_);
    if (!key) return key.error();
    cursor_ = delivered_ = *key;
  }
  auto batch = outbox_.peek(lane_, *cursor_, bare_ ? 1 : limits.rows, limits.bytes);
  if (!batch) return batch.error();
  idle_ = batch->rows.empty();
  if (idle_) return std::optional<Outgoing>{};
  Outgoing out;
  out.after_event = batch->after_event;
  RecordFrame frame(gateway_, bare_, limits.bytes);
  for (const Row& row : batch->rows) {
    if (!frame.add(row.bytes)) break;
    out.last_key = row.key;
  }
  out.records = static_cast<std::int64_t>(frame.records());
  out.payload = frame.take();
  return std::optional(std::move(out));
}

void LaneSender::sent(const Outgoing& message) {
  cursor_ = message.last_key;
  pending_.push_back({message.last_key});
}

void LaneSender::acked(std::int64_t last_key) {
  for (Pending& pending : pending_) {
    if (pending.last_key == last_key) pending.acked = true;
  }
  const std::int64_t before = delivered_;
  while (!pending_.empty() && pending_.front().acked) {
    delivered_ = pending_.front().last_key;
    pending_.pop_front();
  }
  if (delivered_ != before) outbox_.delivered(lane_, delivered_);
}

void LaneSender::lost() {
  pending_.clear();
  if (cursor_) cursor_ = delivered_;
  stir();
}

}  // namespace metergate
