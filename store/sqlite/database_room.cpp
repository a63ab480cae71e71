#include <algorithm>
#include <limits>

#include "store/sqlite/database.h"

// What has to go when, and the rest of the housekeeping.

namespace metergate {

namespace {

constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kRowsAtOnce = 1000;    // deleted in one transaction, so that the WAL stays small
constexpr std::int64_t kAnswersAtOnce = 200;  // forgotten in one transaction; their ids lie all over the index
constexpr std::int64_t kDeadSpared = 100;     // dead letters that stay when records would have to go instead
constexpr std::int64_t kSlackPages = 8;       // for what a transaction writes beside its records

Retention::Kind kind_of(Lane lane) { return static_cast<Retention::Kind>(lane); }

}  // namespace

std::int64_t Database::used_pages() { return page_count_.number_or(0) - free_count_.number_or(0); }

void Database::hold_size(bool hold) {
  held_ = hold;
  limit_pages_ = hold ? std::min(quota_.pages, page_count_.number_or(0)) : quota_.pages;
  connection_->run("PRAGMA max_page_count=" + std::to_string(limit_pages_));
}

bool Database::at_cap() { return page_count_.number_or(0) + kSlackPages >= limit_pages_; }

bool Database::takes_command(std::int64_t bytes) {
  const std::int64_t pages = bytes / Quota::kPage + kSlackPages;
  return used_pages() + pages <= limit_pages_ - Quota::last_reserve(limit_pages_);
}

Result<bool> Database::make_room(std::int64_t bytes) {
  const std::int64_t soft = limit_pages_ - Quota::reserve(limit_pages_);
  const std::int64_t need = bytes / Quota::kPage + kSlackPages;
  // A little more than is needed, so that not every commit has to make room.
  const std::int64_t spare = limit_pages_ / 256;
  bool over = used_pages() + need > soft;
  while (over) {
    bool found = false;
    const std::int64_t excess = used_pages() + need + spare - soft;
    const Status done = change([&] { found = evict(excess * Quota::kPage); });
    if (!done) return done.error();
    over = used_pages() + need > soft;
    if (!found) break;
  }
  tight_ = over;
  return judged(!over);
}

Status Database::write_back() {
  connection_->checkpoint();
  const auto done = judged(true);
  return done ? Status() : Status(done.error());
}

std::int64_t Database::disposable_upto(RecordTable table) {
  const std::int64_t delivered = counters_.delivered[index_of(lane_of(table))];
  return table == RecordTable::kResults ? std::min(delivered, commands_.first_answer() - 1) : delivered;
}

bool Database::evict(std::int64_t bytes) {
  if (take(RecordTable::kReadingsLow, disposable_upto(RecordTable::kReadingsLow), kRowsAtOnce, bytes) > 0) return true;
  if (evict_delivered(bytes) > 0) return true;
  if (counters_.dead_next - counters_.dead_first > kDeadSpared) {
    counters_.dead_first = counters_.dead_next - kDeadSpared;
    notebook_.remove_dead(counters_.dead_first);
    return true;
  }
  return drop(RecordTable::kReadingsLow, bytes) || drop(RecordTable::kReadingsHigh, bytes) ||
         drop(RecordTable::kEvents, bytes);
}

/// Delivered records but keep=low, the oldest first, whatever their shelf.
std::int64_t Database::evict_delivered(std::int64_t bytes) {
  std::int64_t freed = 0;
  for (std::int64_t tries = 0; tries < kRowsAtOnce && freed < bytes; ++tries) {
    RecordTable oldest = RecordTable::kReadingsHigh;
    std::int64_t oldest_key = kAll;
    std::int64_t next_key = kAll;
    for (const RecordTable table :
         {RecordTable::kReadingsHigh, RecordTable::kEvents, RecordTable::kNotices, RecordTable::kResults}) {
      const std::int64_t key = record_tables_.first_key(table, 0);
      if (key == 0 || key > disposable_upto(table)) continue;
      if (key < oldest_key) {
        next_key = oldest_key;
        oldest_key = key;
        oldest = table;
      } else {
        next_key = std::min(next_key, key);
      }
    }
    if (oldest_key == kAll) break;
    freed += take(oldest, std::min(disposable_upto(oldest), next_key - 1), kRowsAtOnce, bytes - freed);
  }
  return freed;
}

std::int64_t Database::take(RecordTable table, std::int64_t upto, std::int64_t max_rows, std::int64_t bytes) {
  const auto victims = record_tables_.oldest(table, 0, upto, max_rows, bytes);
  if (victims.empty()) return 0;
  record_tables_.remove(table, victims.front().key, victims.back().key);
  save();
  std::int64_t freed = 0;
  for (const Victim& victim : victims) freed += victim.bytes;
  return freed;
}

bool Database::drop(RecordTable table, std::int64_t bytes) {
  const Lane lane = lane_of(table);
  const std::size_t i = index_of(lane);
  const auto victims = record_tables_.oldest(table, counters_.delivered[i], kAll, kRowsAtOnce, bytes);
  if (victims.empty()) return false;
  DroppedRange gap;
  const auto close = [&] {
    if (gap.to_seq > 0) counters_.gaps[i] += dropped_ranges_.add(gap);
  };
  for (const Victim& victim : victims) {
    if (victim.epoch == gap.epoch && victim.seq == gap.to_seq + 1) {
      gap.last_key = victim.key;
      gap.to_seq = victim.seq;
      continue;
    }
    close();
    gap = DroppedRange{victim.key, victim.key, lane, victim.epoch, victim.seq, victim.seq};
  }
  close();
  record_tables_.remove(table, victims.front().key, victims.back().key);
  const auto count = static_cast<std::int64_t>(victims.size());
  counters_.waiting[i] -= count;
  counters_.dropped[i] += count;
  save();
  return true;
}

Result<bool> Database::tend() {
  if (connection_->wal_pages() >= (held_ ? quota_.wal_pages / 8 : quota_.wal_pages)) {
    connection_->checkpoint();
    if (!connection_->ok()) return judged(false);
  }
  bool more = false;
  const bool over_quarter = counters_.kept_bytes > quota_.kept_bytes;
  const bool may_forget = over_quarter && commands_.first_answer() <= counters_.delivered[index_of(Lane::kResults)];
  if (counters_.run_ms >= next_purge_ms_ || may_forget) {
    if (Status done = change([&] { more = purge(); }); !done) return done.error();
    if (!more) next_purge_ms_ = counters_.run_ms + retention_.pitch().count();
  }
  const std::int64_t pages = page_count_.number_or(0);
  if (pages <= limit_pages_) return judged(more);

  // The cap was lowered: first make the pages free, then give them back, from the end of the file.
  if (auto room = make_room(0); !room) return room.error();
  if (free_count_.number_or(0) == 0) return judged(more);
  const std::string some = std::to_string(quota_.wal_pages / 2);
  if (Status done = change([&] { connection_->run("PRAGMA incremental_vacuum(" + some + ")"); }); !done)
    return done.error();
  connection_->checkpoint();  // only this cuts the file
  hold_size(false);
  return judged(true);
}

/// True when there is more of it.
bool Database::purge() {
  for (const Lane lane : kAllLanes)
    retention_.note(kind_of(lane), counters_.run_ms, counters_.delivered[index_of(lane)]);
  retention_.note(Retention::Kind::kAnswers, counters_.run_ms, counters_.delivered[index_of(Lane::kResults)]);
  if (forget_answers()) return true;
  for (const RecordTable table : kAllRecordTables) {
    const std::int64_t passed = retention_.passed(kind_of(lane_of(table)), counters_.run_ms);
    if (take(table, std::min(passed, disposable_upto(table)), kRowsAtOnce, kAll) > 0) return true;
  }
  return false;
}

/// Ids whose time has passed, and the oldest ones when all of them take more than their share.
bool Database::forget_answers() {
  const std::int64_t passed = retention_.passed(Retention::Kind::kAnswers, counters_.run_ms);
  const std::int64_t delivered = counters_.delivered[index_of(Lane::kResults)];
  std::int64_t last = 0;
  std::int64_t count = 0;
  for (const std::int64_t answer : commands_.answers(0, delivered, kAnswersAtOnce)) {
    if (answer > passed && counters_.kept_bytes <= quota_.kept_bytes) break;
    counters_.kept_bytes -= kept_bytes(answer);
    last = answer;
    ++count;
  }
  if (count == 0) return false;
  commands_.forget(last);
  counters_.known_commands -= count;
  save();
  return count == kAnswersAtOnce;
}

}  // namespace metergate
