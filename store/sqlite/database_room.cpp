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

Ages::Kind kind_of(Lane lane) { return static_cast<Ages::Kind>(lane); }

}  // namespace

std::int64_t Database::used_pages() { return page_count_.number_or(0) - free_count_.number_or(0); }

void Database::hold_size(bool hold) {
  held_ = hold;
  limit_pages_ = hold ? std::min(budget_.pages, page_count_.number_or(0)) : budget_.pages;
  connection_->run("PRAGMA max_page_count=" + std::to_string(limit_pages_));
}

bool Database::at_cap() { return page_count_.number_or(0) + kSlackPages >= limit_pages_; }

bool Database::takes_command(std::int64_t bytes) {
  const std::int64_t pages = bytes / Budget::kPage + kSlackPages;
  return used_pages() + pages <= limit_pages_ - Budget::last_reserve(limit_pages_);
}

Result<bool> Database::make_room(std::int64_t bytes) {
  const std::int64_t soft = limit_pages_ - Budget::reserve(limit_pages_);
  const std::int64_t need = bytes / Budget::kPage + kSlackPages;
  // A little more than is needed, so that not every commit has to make room.
  const std::int64_t spare = limit_pages_ / 256;
  bool over = used_pages() + need > soft;
  while (over) {
    bool found = false;
    const std::int64_t excess = used_pages() + need + spare - soft;
    const Status done = change([&] { found = evict(excess * Budget::kPage); });
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

std::int64_t Database::disposable_upto(Shelf shelf) {
  const std::int64_t delivered = tally_.delivered[index_of(lane_of(shelf))];
  return shelf == Shelf::kResults ? std::min(delivered, commands_.first_answer() - 1) : delivered;
}

bool Database::evict(std::int64_t bytes) {
  if (take(Shelf::kReadingsLow, disposable_upto(Shelf::kReadingsLow), kRowsAtOnce, bytes) > 0) return true;
  if (evict_delivered(bytes) > 0) return true;
  if (tally_.dead_next - tally_.dead_first > kDeadSpared) {
    tally_.dead_first = tally_.dead_next - kDeadSpared;
    notebook_.remove_dead(tally_.dead_first);
    return true;
  }
  return drop(Shelf::kReadingsLow, bytes) || drop(Shelf::kReadingsHigh, bytes) || drop(Shelf::kEvents, bytes);
}

/// Delivered records but keep=low, the oldest first, whatever their shelf.
std::int64_t Database::evict_delivered(std::int64_t bytes) {
  std::int64_t freed = 0;
  for (std::int64_t tries = 0; tries < kRowsAtOnce && freed < bytes; ++tries) {
    Shelf oldest = Shelf::kReadingsHigh;
    std::int64_t oldest_key = kAll;
    std::int64_t next_key = kAll;
    for (const Shelf shelf : {Shelf::kReadingsHigh, Shelf::kEvents, Shelf::kNotices, Shelf::kResults}) {
      const std::int64_t key = shelves_.first_key(shelf, 0);
      if (key == 0 || key > disposable_upto(shelf)) continue;
      if (key < oldest_key) {
        next_key = oldest_key;
        oldest_key = key;
        oldest = shelf;
      } else {
        next_key = std::min(next_key, key);
      }
    }
    if (oldest_key == kAll) break;
    freed += take(oldest, std::min(disposable_upto(oldest), next_key - 1), kRowsAtOnce, bytes - freed);
  }
  return freed;
}

std::int64_t Database::take(Shelf shelf, std::int64_t upto, std::int64_t max_rows, std::int64_t bytes) {
  const auto victims = shelves_.oldest(shelf, 0, upto, max_rows, bytes);
  if (victims.empty()) return 0;
  shelves_.remove(shelf, victims.front().key, victims.back().key);
  save();
  std::int64_t freed = 0;
  for (const Victim& victim : victims) freed += victim.bytes;
  return freed;
}

bool Database::drop(Shelf shelf, std::int64_t bytes) {
  const Lane lane = lane_of(shelf);
  const std::size_t i = index_of(lane);
  const auto victims = shelves_.oldest(shelf, tally_.delivered[i], kAll, kRowsAtOnce, bytes);
  if (victims.empty()) return false;
  Gap gap;
  const auto close = [&] {
    if (gap.to_seq > 0) tally_.gaps[i] += gaps_.add(gap);
  };
  for (const Victim& victim : victims) {
    if (victim.epoch == gap.epoch && victim.seq == gap.to_seq + 1) {
      gap.last_key = victim.key;
      gap.to_seq = victim.seq;
      continue;
    }
    close();
    gap = Gap{victim.key, victim.key, lane, victim.epoch, victim.seq, victim.seq};
  }
  close();
  shelves_.remove(shelf, victims.front().key, victims.back().key);
  const auto count = static_cast<std::int64_t>(victims.size());
  tally_.waiting[i] -= count;
  tally_.dropped[i] += count;
  save();
  return true;
}

Result<bool> Database::tend() {
  if (connection_->wal_pages() >= (held_ ? budget_.wal_pages / 8 : budget_.wal_pages)) {
    connection_->checkpoint();
    if (!connection_->ok()) return judged(false);
  }
  bool more = false;
  const bool over_quarter = tally_.kept_bytes > budget_.kept_bytes;
  const bool may_forget = over_quarter && commands_.first_answer() <= tally_.delivered[index_of(Lane::kResults)];
  if (tally_.run_ms >= next_purge_ms_ || may_forget) {
    if (Status done = change([&] { more = purge(); }); !done) return done.error();
    if (!more) next_purge_ms_ = tally_.run_ms + ages_.pitch().count();
  }
  const std::int64_t pages = page_count_.number_or(0);
  if (pages <= limit_pages_) return judged(more);

  // The cap was lowered: first make the pages free, then give them back, from the end of the file.
  if (auto room = make_room(0); !room) return room.error();
  if (free_count_.number_or(0) == 0) return judged(more);
  const std::string some = std::to_string(budget_.wal_pages / 2);
  if (Status done = change([&] { connection_->run("PRAGMA incremental_vacuum(" + some + ")"); }); !done)
    return done.error();
  connection_->checkpoint();  // only this cuts the file
  hold_size(false);
  return judged(true);
}

/// True when there is more of it.
bool Database::purge() {
  for (const Lane lane : kAllLanes) ages_.note(kind_of(lane), tally_.run_ms, tally_.delivered[index_of(lane)]);
  ages_.note(Ages::Kind::kAnswers, tally_.run_ms, tally_.delivered[index_of(Lane::kResults)]);
  if (forget_answers()) return true;
  for (const Shelf shelf : kAllShelves) {
    const std::int64_t passed = ages_.passed(kind_of(lane_of(shelf)), tally_.run_ms);
    if (take(shelf, std::min(passed, disposable_upto(shelf)), kRowsAtOnce, kAll) > 0) return true;
  }
  return false;
}

/// Ids whose time has passed, and the oldest ones when all of them take more than their share.
bool Database::forget_answers() {
  const std::int64_t passed = ages_.passed(Ages::Kind::kAnswers, tally_.run_ms);
  const std::int64_t delivered = tally_.delivered[index_of(Lane::kResults)];
  std::int64_t last = 0;
  std::int64_t count = 0;
  for (const std::int64_t answer : commands_.answers(0, delivered, kAnswersAtOnce)) {
    if (answer > passed && tally_.kept_bytes <= budget_.kept_bytes) break;
    tally_.kept_bytes -= kept_bytes(answer);
    last = answer;
    ++count;
  }
  if (count == 0) return false;
  commands_.forget(last);
  tally_.known_commands -= count;
  save();
  return count == kAnswersAtOnce;
}

}  // namespace metergate
