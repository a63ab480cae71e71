#include "agent/uplink/lane_sender.h"

#include <algorithm>
#include <limits>

#include "agent/protocol/record_frame.h"

namespace metergate {

namespace {
constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
}

/// How far an earlier run came. If a PUBACK is what counts now, all that had one is delivered.
Status LaneSender::load() {
  if (cursor_) return {};
  const auto sent = outbox_.sent_key(lane_);
  if (!sent) return sent.error();
  const auto delivered = outbox_.delivered_key(lane_);
  if (!delivered) return delivered.error();
  cursor_ = acked_ = *sent;
  delivered_ = *delivered;
  if (!receipts_ && delivered_ < acked_) outbox_.delivered(lane_, delivered_ = acked_);
  return {};
}

Result<std::optional<LaneSender::Outgoing>> LaneSender::next(Limits limits) {
  if (Status loaded = load(); !loaded) return loaded.error();
  auto batch = outbox_.peek(lane_, *cursor_, bare_ ? 1 : limits.rows, limits.bytes);
  if (!batch) return batch.error();
  idle_ = batch->rows.empty();
  if (idle_) return std::optional<Outgoing>{};
  return std::optional(message_of(*batch, kNoEnd, limits.bytes));
}

LaneSender::Outgoing LaneSender::message_of(const Batch& batch, std::int64_t upto, std::size_t bytes) const {
  Outgoing out;
  out.after_event = batch.after_event;
  RecordFrame frame(gateway_, bare_, bytes);
  for (const Row& row : batch.rows) {
    if (row.key > upto || !frame.add(row.bytes)) break;
    out.last_key = row.key;
  }
  out.records = static_cast<std::int64_t>(frame.records());
  out.payload = frame.take();
  return out;
}

void LaneSender::sent(const Outgoing& message) {
  cursor_ = message.last_key;
  published_ = std::max(published_, message.last_key);
  pending_.push_back({message.last_key});
}

void LaneSender::acked(std::int64_t last_key) {
  for (Pending& pending : pending_) {
    if (pending.last_key == last_key) pending.acked = true;
  }
  const std::int64_t before = acked_;
  while (!pending_.empty() && pending_.front().acked) {
    acked_ = std::max(acked_, pending_.front().last_key);
    pending_.pop_front();
  }
  if (acked_ == before) return;
  if (receipts_) return outbox_.sent(lane_, acked_);
  outbox_.delivered(lane_, delivered_ = acked_);
}

Result<LaneSender::Outgoing> LaneSender::message_between(std::int64_t after, std::int64_t upto, Limits limits) {
  const auto batch = outbox_.peek(lane_, after, limits.rows, limits.bytes);
  if (!batch) return batch.error();
  return message_of(*batch, upto, limits.bytes);
}

Result<ReceiptFate> LaneSender::receipt(const Receipt& receipt) {
  if (Status loaded = load(); !loaded) return loaded.error();
  const auto known = outbox_.receipt(receipt, std::max(published_, acked_));
  if (!known) return known.error();
  delivered_ = std::max(delivered_, known->delivered);
  // A receipt of an earlier epoch may cover records whose PUBACK was never seen.
  acked_ = std::max(acked_, delivered_);
  cursor_ = std::max(*cursor_, delivered_);
  return known->fate;
}

void LaneSender::lost() {
  pending_.clear();
  if (cursor_) cursor_ = acked_;
  stir();
}

}  // namespace metergate
