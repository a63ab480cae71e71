#pragma once

#include "store/sqlite/command_table.h"
#include "store/sqlite/counters.h"
#include "store/sqlite/dead_letter_table.h"
#include "store/sqlite/dropped_ranges.h"
#include "store/sqlite/quota.h"
#include "store/sqlite/record_tables.h"
#include "store/sqlite/retention.h"

namespace metergate {

/// What is deleted, in which order. For want of room (contract, G5):
///   1. delivered readings of keep=low, the oldest first;
///   2. all other delivered records, the oldest first, but not a result that a known command id refers to;
///   3. dead letters but the newest 100;
///   4. undelivered readings of keep=low, then of keep=high, then undelivered events, each the oldest first. Their
///      numbers become dropped ranges.
/// Never: undelivered results, open commands, `started` and `records_dropped`, and what was given to be sent (peek) and
/// is not acknowledged yet: if it were told as dropped, it could arrive all the same.
/// For age: delivered records after --keep-sent, ids of done commands after 7 days, or the oldest of these when all
/// take more than their quarter of the cap.
///
/// Each call is one step of a transaction that the caller makes, and deletes at most 1,000 rows, so that the WAL stays
/// small. Errors stick to the connection.
class Eviction {
 public:
  struct Tables {
    RecordTables& records;
    CommandTable& commands;
    DroppedRanges& dropped;
    DeadLetterTable& dead_letters;
    Retention& retention;
  };
  Eviction(const Tables& tables, Counters& counters, const Quota& quota)
      : t_(tables), counters_(counters), quota_(quota) {}

  /// Deletes about `bytes`, of the first kind that has any. False: there is nothing that may go.
  bool evict(std::int64_t bytes);

  /// Deletes what is old enough. True when there is more of it.
  bool purge();
  /// Ids of done commands take more than their quarter, and the oldest of them may go.
  bool over_share();
  /// What the id of a done command and its result take of that quarter.
  std::int64_t share_of(std::int64_t answer);

 private:
  /// Delivered rows of a table may go up to this key.
  std::int64_t disposable_upto(RecordTable table);
  /// Delivered records but keep=low, the oldest first, whatever their table. Returns the bytes that this frees.
  std::int64_t evict_delivered(std::int64_t bytes);
  std::int64_t remove_oldest(RecordTable table, std::int64_t upto, std::int64_t bytes);
  bool remove_dead_letters();
  bool drop(RecordTable table, std::int64_t bytes);
  bool forget_commands();

  const Tables t_;
  Counters& counters_;
  const Quota& quota_;
};

}  // namespace metergate
