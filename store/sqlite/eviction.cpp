#include "store/sqlite/eviction.h"

#include <algorithm>
#include <limits>

namespace metergate {

namespace {

constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kRowsAtOnce = 1000;
constexpr std::int64_t kCommandsAtOnce = 200;  // fewer, since their ids lie all over an index
constexpr std::int64_t kDeadLettersSpared = 100;

Retention::Kind kind_of(Lane lane) { return static_cast<Retention::Kind>(lane); }

}  // namespace

std::int64_t Eviction::disposable_upto(RecordTable table) {
  const std::int64_t delivered = counters_.delivered[index_of(lane_of(table))];
  return table == RecordTable::kResults ? std::min(delivered, t_.commands.first_answer() - 1) : delivered;
}

bool Eviction::evict(std::int64_t bytes) {
  const std::int64_t delivered_low = disposable_upto(RecordTable::kReadingsLow);
  return remove_oldest(RecordTable::kReadingsLow, delivered_low, bytes) > 0 || evict_delivered(bytes) > 0 ||
         remove_dead_letters() || drop(RecordTable::kReadingsLow, bytes) || drop(RecordTable::kReadingsHigh, bytes) ||
         drop(RecordTable::kEvents, bytes);
}

std::int64_t Eviction::evict_delivered(std::int64_t bytes) {
  std::int64_t freed = 0;
  for (std::int64_t tries = 0; tries < kRowsAtOnce && freed < bytes; ++tries) {
    RecordTable oldest = RecordTable::kReadingsHigh;
    std::int64_t oldest_key = kAll;
    std::int64_t next_key = kAll;
    for (const RecordTable table :
         {RecordTable::kReadingsHigh, RecordTable::kEvents, RecordTable::kNotices, RecordTable::kResults}) {
      const std::int64_t key = t_.records.first_key(table, 0);
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
    freed += remove_oldest(oldest, std::min(disposable_upto(oldest), next_key - 1), bytes - freed);
  }
  return freed;
}

std::int64_t Eviction::remove_oldest(RecordTable table, std::int64_t upto, std::int64_t bytes) {
  const auto victims = t_.records.oldest(table, 0, upto, kRowsAtOnce, bytes);
  if (victims.empty()) return 0;
  t_.records.remove(table, victims.front().key, victims.back().key);
  counters_.unsaved = true;
  std::int64_t freed = 0;
  for (const Victim& victim : victims) freed += victim.bytes;
  return freed;
}

bool Eviction::remove_dead_letters() {
  if (counters_.dead_next - counters_.dead_first <= kDeadLettersSpared) return false;
  counters_.dead_first = counters_.dead_next - kDeadLettersSpared;
  t_.dead_letters.remove_below(counters_.dead_first);
  return true;
}

bool Eviction::drop(RecordTable table, std::int64_t bytes) {
  const Lane lane = lane_of(table);
  const std::size_t i = index_of(lane);
  // First what the broker has acknowledged and no receipt covers; never what is on its way.
  const std::int64_t acked = std::max(counters_.delivered[i], counters_.sent[i]);
  auto victims = t_.records.oldest(table, counters_.delivered[i], acked, kRowsAtOnce, bytes);
  if (victims.empty()) {
    victims = t_.records.oldest(table, std::max(acked, counters_.held[i]), kAll, kRowsAtOnce, bytes);
  }
  if (victims.empty()) return false;
  DroppedRange range;
  const auto close = [&] {
    if (range.to_seq > 0) counters_.untold_ranges[i] += t_.dropped.add(range);
  };
  for (const Victim& victim : victims) {
    if (victim.epoch == range.epoch && victim.seq == range.to_seq + 1) {
      range.last_key = victim.key;
      range.to_seq = victim.seq;
      continue;
    }
    close();
    range = DroppedRange{victim.key, victim.key, lane, victim.epoch, victim.seq, victim.seq};
  }
  close();
  t_.records.remove(table, victims.front().key, victims.back().key);
  const auto count = static_cast<std::int64_t>(victims.size());
  counters_.waiting[i] -= count;
  counters_.dropped[i] += count;
  counters_.unsaved = true;
  return true;
}

bool Eviction::purge() {
  for (const Lane lane : kAllLanes)
    t_.retention.note(kind_of(lane), counters_.run_ms, counters_.delivered[index_of(lane)]);
  t_.retention.note(Retention::Kind::kAnswers, counters_.run_ms, counters_.delivered[index_of(Lane::kResults)]);
  if (forget_commands()) return true;
  for (const RecordTable table : kAllRecordTables) {
    const std::int64_t passed = t_.retention.passed(kind_of(lane_of(table)), counters_.run_ms);
    if (remove_oldest(table, std::min(passed, disposable_upto(table)), kAll) > 0) return true;
  }
  return false;
}

bool Eviction::over_share() {
  return counters_.kept_bytes > quota_.kept_bytes &&
         t_.commands.first_answer() <= counters_.delivered[index_of(Lane::kResults)];
}

std::int64_t Eviction::share_of(std::int64_t answer) {
  return t_.records.bytes(RecordTable::kResults, answer - 1, answer) + CommandTable::kRowOverhead;
}

bool Eviction::forget_commands() {
  const std::int64_t passed = t_.retention.passed(Retention::Kind::kAnswers, counters_.run_ms);
  const std::int64_t delivered = counters_.delivered[index_of(Lane::kResults)];
  std::int64_t last = 0;
  std::int64_t count = 0;
  for (const std::int64_t answer : t_.commands.answers(0, delivered, kCommandsAtOnce)) {
    if (answer > passed && counters_.kept_bytes <= quota_.kept_bytes) break;
    counters_.kept_bytes -= share_of(answer);
    last = answer;
    ++count;
  }
  if (count == 0) return false;
  t_.commands.forget(last);
  counters_.known_commands -= count;
  counters_.unsaved = true;
  return count == kCommandsAtOnce;
}

}  // namespace metergate
