#include "agent/uplink/receipt_timeout.h"

#include <algorithm>

namespace metergate {

void ReceiptTimeout::track(std::int64_t delivered, std::int64_t acked, MonoTime now) {
  const bool moved = delivered > delivered_;
  const bool waited = acked_ > delivered_;
  delivered_ = std::max(delivered_, delivered);
  acked_ = std::max(acked_, acked);
  if (delivered_ >= horizon_) horizon_ = left_ = 0;
  if (acked_ <= delivered_) {
    wait_until_ = MonoTime::max();
    return;
  }
  if (waited && !moved) return;
  pause_ = timeout_;
  if (left_ > 0) {
    cursor_ = std::max(cursor_, delivered_);
  } else if (horizon_ > 0 && delivered_ >= cursor_) {
    begin();
  } else {
    wait_until_ = now + timeout_;
  }
}

void ReceiptTimeout::hold(MonoTime until) {
  if (wait_until_ != MonoTime::max()) wait_until_ = std::max(wait_until_, until);
}

void ReceiptTimeout::begin() {
  cursor_ = delivered_;
  left_ = messages_;
  wait_until_ = MonoTime::max();
}

ReceiptTimeout::Span ReceiptTimeout::span(MonoTime now) {
  if (left_ == 0 && now >= wait_until_) {
    horizon_ = acked_;
    begin();
  }
  return {cursor_, horizon_};
}

void ReceiptTimeout::sent(std::int64_t last_key, MonoTime now) {
  cursor_ = last_key;
  if (--left_ > 0 && cursor_ < horizon_) return;
  left_ = 0;
  wait_until_ = now + pause_;
  pause_ = std::min(pause_ * 2, std::max(timeout_, kPauseMax));
}

void ReceiptTimeout::lost() {
  if (horizon_ > 0) begin();
}

}  // namespace metergate
