#pragma once

#include <deque>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "store/outbox.h"

namespace metergate {

/// How far one lane is: what was sent, what the broker acknowledged, what is delivered, and what comes next. One
/// thread.
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

  /// `bare`: single records instead of messages of a lane's topic. `receipts`: a record is delivered by its receipt,
  /// not by its PUBACK.
  LaneSender(Lane lane, Outbox& outbox, std::string gateway, bool bare, bool receipts)
      : lane_(lane), outbox_(outbox), gateway_(std::move(gateway)), bare_(bare), receipts_(receipts) {}

  /// There may be new records.
  void stir() { idle_ = false; }
  /// The last next() found nothing to send.
  bool idle() const { return idle_; }
  /// What comes next, not taken before sent(). Waits for the store's thread. Errors: kStorage, kCorrupt: ask again
  /// later.
  Result<std::optional<Outgoing>> next(Limits limits);
  void sent(const Outgoing& message);
  /// The broker acknowledged this message. The lane moves on as far as everything before is acknowledged, too.
  void acked(std::int64_t last_key);
  /// A message of what was acknowledged before, behind `after` and up to `upto`; no records: none is left. Moves
  /// nothing.
  Result<Outgoing> message_between(std::int64_t after, std::int64_t upto, Limits limits);
  /// Records of the epoch up to a number need not be sent any more. Waits for the store's thread. Errors as next().
  Result<ReceiptFate> receipt(const Receipt& receipt);
  /// The connection is gone: goes back to the first record that was not acknowledged.
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
