#pragma once

#include <cstdint>

#include "agent/base/clock.h"

namespace metergate {

/// When records of one lane are resent that the broker acknowledged and no receipt covers: in windows of messages, the
/// oldest records first. The next window follows at once when a receipt covers the one before, else the same window
/// follows after a pause that doubles. Records that the broker acknowledged after a row of windows began are not in it:
/// their receipts are still on their way. Pure.
class ReceiptTimeout {
 public:
  static constexpr Millis kPauseMax{3'600'000};

  /// `messages`: of one window.
  ReceiptTimeout(Millis timeout, int messages) : timeout_(timeout), messages_(messages), pause_(timeout) {}

  /// Where the lane is: covered by receipts up to one key, acknowledged by the broker up to another.
  void track(std::int64_t delivered, std::int64_t acked, MonoTime now);
  /// Nothing is due before this time: lets receipts that waited at the broker come first.
  void hold(MonoTime until);

  bool due(MonoTime now) const { return left_ > 0 || now >= wait_until_; }
  struct Span {
    std::int64_t after, upto;
  };
  /// What the next message is to be taken from. Only when due.
  Span span(MonoTime now);
  /// A message was published with records up to this key. The key of the span's end: nothing of the span is left.
  void sent(std::int64_t last_key, MonoTime now);
  /// The connection was lost before all of the window was acknowledged: resends it from its beginning.
  void lost();

  /// When the next window begins if no receipt comes; MonoTime::max() if none does.
  MonoTime next() const { return wait_until_; }

 private:
  void begin();

  Millis timeout_;
  int messages_;
  Millis pause_;
  std::int64_t delivered_ = 0, acked_ = 0;
  MonoTime wait_until_ = MonoTime::max();  // max: nothing waits, or a window is being sent
  std::int64_t cursor_ = 0;                // of the window, up to here it was sent
  std::int64_t horizon_ = 0;               // where its row of windows ends, 0: there is none
  int left_ = 0;                           // messages that it may still have
};

}  // namespace metergate
