#pragma once

#include "store/store.h"

namespace metergate {

/// Rows of one lane in the order of their numbers, and what must be sent before them.
struct Batch {
  std::vector<Row> rows;
  /// Key of a `records_dropped` event that has to be sent before these rows, 0 if none. Always 0 in the lane of events,
  /// which keeps its own order: there the report comes in its turn.
  std::int64_t after_event = 0;
};

/// A consumer says: of that epoch and lane it has everything up to a number, or knows that it will not come.
struct Receipt {
  std::string epoch;
  Lane lane = Lane::kReadings;
  std::int64_t upto = 0;
};
enum class ReceiptFate {
  kCounts,
  kNothingNew,  ///< late or doubled
  kIgnored      ///< of an epoch that this store does not know, or beyond what was sent of the running one
};
struct Receipted {
  ReceiptFate fate = ReceiptFate::kIgnored;
  std::int64_t delivered = 0;  ///< the lane, up to this key
};

/// Records on their way to the broker. Any thread. No record is deleted before delivered() covers it, but for the cap.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// Returns at once. Readings become durable within commit_every, results and events at the next commit, which starts
  /// now. When the store fails for long, readings beyond a bound are counted and told by `readings_lost`.
  virtual void append(std::vector<Draft> drafts) = 0;

  /// Durable records of a lane behind `after`, oldest first, at most `max_rows` and about `max_bytes` (at least one).
  /// From then on the rows are in flight: until sent() or delivered() covers them, or the process ends, they are not
  /// dropped for want of room. Waits for the store's thread. Errors: kStorage, kCorrupt (ask again).
  virtual Result<Batch> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes) = 0;
  /// The same rows again by key; those that are gone are left out.
  virtual Result<std::vector<Row>> fetch(const std::vector<std::int64_t>& keys) = 0;

  /// Everything of the lane up to `key` was acknowledged by the broker (sent), or is delivered. Returns at once;
  /// durable later: after a crash some of it is sent again. A key beyond the last record counts as the last record's.
  virtual void sent(Lane lane, std::int64_t key) = 0;
  virtual void delivered(Lane lane, std::int64_t key) = 0;

  /// Moves `delivered` as far as receipts cover the lane without a hole. A receipt of an epoch whose predecessors are
  /// not covered yet counts when they are; until then it is kept in memory only. `published`: what was sent in this
  /// run, up to this key. Waits for the store's thread. Errors as peek().
  virtual Result<Receipted> receipt(const Receipt& receipt, std::int64_t published) = 0;

  /// Where the cursors are; `sent` is never behind `delivered`.
  virtual Result<std::int64_t> sent_key(Lane lane) = 0;
  virtual Result<std::int64_t> delivered_key(Lane lane) = 0;
  virtual StoreState state() = 0;  ///< a snapshot; never waits for a commit
};

}  // namespace metergate
