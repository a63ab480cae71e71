#pragma once

#include <deque>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "store/outbox.h"

namespace metergate {

/// One lane on its way: what was sent, what of it the broker acknowledged, what of it is delivered, and where to go on.
/// One thread.
class LaneSender {
 public:
  struct Limits {
    std::size_t rows;   ///< of one message
    std::size_t bytes;  ///< of one message; one record alone may be over it
  };
  struct Outgoing {
    std::string payload;
    std::int64_t last_key = 0;
    std::int64_t records = 0;
    std::int64_t after_event = 0;  ///< key of an event that has to be published before, 0 if none
  };

  /// `bare`: single records instead of messages of a lane's topic. `receipts`: what the broker acknowledged is sent,
  /// but not yet delivered.
  LaneSender(Lane lane, Outbox& outbox, std::string gateway, bool bare, bool receipts)
      : lane_(lane), outbox_(outbox), gateway_(std::move(gateway)), bare_(bare), receipts_(receipts) {}

  /// There may be new records.
  void stir() { idle_ = false; }
  /// Asked, and there was nothing to send.
  bool idle() const { return idle_; }
  /// What comes next, not taken before sent(). Waits for the store's thread. Errors: kStorage, kCorrupt: ask again
  /// later.
  Result<std::optional<Outgoing>> next(Limits limits);
  void sent(const Outgoing& message);
  /// Acknowledged by the broker; counts as far as it is so without a gap.
  void acked(std::int64_t last_key);
  /// What was acknowledged once, again: behind `after`, up to `upto`; no records: there is none left. Takes nothing.
  Result<Outgoing> again(std::int64_t after, std::int64_t upto, Limits limits);
  /// Records of the epoch up to a number need not be sent any more. Waits for the store's thread. Errors as next().
  Result<ReceiptFate> receipt(const Receipt& receipt);
  /// The connection is gone: what was not acknowledged is to be sent again, in its order.
  void lost();

  /// The newest key that was sent on this connection, or was delivered before.
  std::int64_t cursor() const { return cursor_.value_or(0); }
  std::int64_t acked() const { return acked_; }
  std::int64_t delivered() const { return delivered_; }

 private:
  struct Pending {
    std::int64_t last_key;
    bool acked = false;
  };
  Status load();
  Outgoing message_of(const Batch& batch, std::int64_t upto, std::size_t bytes) const;

  Lane lane_;
  Outbox& outbox_;
  std::string gateway_;
  bool bare_, receipts_;
  bool idle_ = false;
  std::optional<std::int64_t> cursor_;  // none: ask the store where to start
  std::int64_t published_ = 0;          // the newest key that was ever sent in this run
  std::int64_t acked_ = 0, delivered_ = 0;
  std::deque<Pending> pending_;  // bounded by the window
};

}  // namespace metergate
