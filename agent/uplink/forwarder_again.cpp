#include <utility>

#include "agent/uplink/forwarder.h"

// What was sent before: for want of a receipt, and for a replay.

namespace metergate {

/// A receipt that the store cannot judge at present is as good as lost: what it covers is sent again, and told again.
void Forwarder::take_receipt(const std::string& payload) {
  const auto receipt = parse_receipt(payload);
  if (!receipt) {
    ++receipts_.malformed;
    return;
  }
  ReceiptFate fate = ReceiptFate::kIgnored;
  if (settings_.uplink.receipts) {
    const auto known = lanes_[static_cast<std::size_t>(receipt->lane)].receipt(*receipt);
    if (known) fate = *known;
  }
  switch (fate) {
    case ReceiptFate::kCounts:
      ++receipts_.counted;
      break;
    case ReceiptFate::kNothingNew:
      ++receipts_.nothing_new;
      break;
    case ReceiptFate::kIgnored:
      ++receipts_.ignored;
      break;
  }
}

void Forwarder::track(MonoTime now) {
  if (!settings_.uplink.receipts) return;
  for (std::size_t i = 0; i < receipt_timeouts_.size(); ++i)
    receipt_timeouts_[i].track(lanes_[i].delivered(), lanes_[i].acked(), now);
}

/// New readings that wait take turns with it, also while they wait for room.
bool Forwarder::send_again(MonoTime now) {
  const bool readings_wait =
      !lanes_[static_cast<std::size_t>(Lane::kReadings)].idle() && !refused_lanes_.refused(Source::kReadings);
  if (now < store_again_ || (readings_wait && !again_next_)) return false;
  for (const Lane lane : kAllLanes) {
    if (send_again(lane, now)) return true;
  }
  return false;
}

bool Forwarder::send_again(Lane lane, MonoTime now) {
  const Source source = source_of(lane);
  ReceiptTimeout& receipt_timeout = receipt_timeouts_[static_cast<std::size_t>(lane)];
  const std::size_t bytes = room(Source::kReadings);
  if (!receipt_timeout.due(now) || bytes == 0 || !refused_lanes_.allows(source, in_flight(), now)) return false;
  const ReceiptTimeout::Span span = receipt_timeout.span(now);
  auto out = lanes_[static_cast<std::size_t>(lane)].again(span.after, span.upto,
                                                          {static_cast<std::size_t>(settings_.uplink.batch), bytes});
  if (!out) {
    store_again_ = now + kStorePause;
    return false;
  }
  if (out->records == 0) {
    receipt_timeout.sent(span.upto, now);
    return false;
  }
  if (!may_go(*out) || (out->payload.size() > bytes && waits_for(Source::kReadings) > 0)) return false;
  InFlight entry{};
  entry.source = source;
  entry.records = out->records;
  entry.again = true;
  if (!publish(std::move(entry), {topic(lane), std::move(out->payload), false}, now)) return false;
  receipt_timeout.sent(out->last_key, now);
  resent_ += out->records;
  return true;
}

/// A lane that the broker refuses holds up nobody.
bool Forwarder::nothing_new() const {
  for (const Lane lane : kAllLanes) {
    if (!lanes_[static_cast<std::size_t>(lane)].idle() && !refused_lanes_.refused(source_of(lane))) return false;
  }
  return true;
}

bool Forwarder::send_replay(MonoTime now) {
  const std::size_t bytes = room(Source::kReadings);
  if (now < store_again_ || bytes == 0 || !nothing_new()) return false;
  const auto lane = replayer_.lane();
  if (!lane) store_again_ = now + kStorePause;
  if (!lane || !*lane) return false;
  const Source source = source_of(**lane);
  if (!refused_lanes_.allows(source, in_flight(), now)) return false;
  auto out = replayer_.next(static_cast<std::size_t>(settings_.uplink.batch), bytes);
  if (!out) {
    store_again_ = now + kStorePause;
    return false;
  }
  replay_again_ = out->look_again;
  if (out->records == 0 || (out->payload.size() > bytes && waits_for(Source::kReadings) > 0)) return false;
  InFlight entry{};
  entry.source = source;
  entry.records = out->records;
  entry.piece = out->piece;
  if (!publish(std::move(entry), {topic(**lane), std::move(out->payload), false}, now)) return false;
  replayer_.sent();
  return true;
}

}  // namespace metergate
