#include "store/sqlite/store_statistics.h"

#include <algorithm>

namespace metergate {

void StoreStatistics::commit_took(Micros time, bool done) {
  shown_.commit_us_last = time.count();
  shown_.commit_us_max = std::max(shown_.commit_us_max, shown_.commit_us_last);
  shown_.commit_us_sum += shown_.commit_us_last;
  ++(done ? shown_.commits : shown_.failed_commits);
}

void StoreStatistics::closed(const Counters& counters) {
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    closed_.appended[i] += counters.appended[i];
    closed_.done[i] += counters.done[i];
    closed_.dropped[i] += counters.dropped[i];
  }
}

StoreState StoreStatistics::state(Database* database, bool disk_full) {
  shown_.failing = database == nullptr;
  shown_.disk_full = disk_full;
  shown_.bytes_max = settings_.max_bytes;
  if (database == nullptr) return shown_;
  const Counters& counters = database->counters();
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    LaneState& shown = shown_.lanes[i];
    shown.waiting = counters.waiting[i];
    shown.last_seq = counters.last_seq[i];
    shown.appended = closed_.appended[i] + counters.appended[i];
    shown.delivered = closed_.done[i] + counters.done[i];
    shown.dropped = closed_.dropped[i] + counters.dropped[i];
    if (const auto oldest = database->oldest_ms(lane)) shown.oldest_ms = *oldest;
  }
  shown_.open_commands = counters.open_commands;
  shown_.known_commands = counters.known_commands;
  shown_.dead_letters = counters.dead_next - counters.dead_first;
  shown_.bytes_used = settings_.max_bytes - (quota_.pages - database->file_size().used_pages()) * Quota::kPage;
  return shown_;
}

}  // namespace metergate
