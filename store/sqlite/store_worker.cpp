#include "store/sqlite/store_worker.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "store/sqlite/replace.h"

namespace metergate {

namespace {

constexpr Millis kPauseMin{1000};
constexpr Millis kMinute{60000};
constexpr std::size_t kAllTasks = std::numeric_limits<std::size_t>::max();
constexpr int kLastTries = 3;

}  // namespace

StoreWorker::StoreWorker(const StoreSettings& settings, const RecordFormat& format, Files& files, const Clock& clock,
                         Log& log, Handover& handover)
    : settings_(settings),
      format_(format),
      files_(files),
      clock_(clock),
      log_(log),
      handover_(handover),
      budget_(settings.max_bytes),
      seen_(clock.mono()),
      pause_(kPauseMin) {}

Result<Opened> StoreWorker::open() {
  auto opening = open_or_replace(settings_, format_, files_, log_);
  if (!opening) return opening.error();
  db_ = std::move(opening->database);
  handover_.given(db_->tally().next_key - 1);
  for (const Lane lane : kAllLanes) {
    handover_.move(&Cursors::sent, lane, db_->tally().sent[index_of(lane)], MonoTime::max());
    handover_.move(&Cursors::delivered, lane, db_->tally().delivered[index_of(lane)], MonoTime::max());
  }
  if (const auto newest = db_->newest_ms()) opening->opened.newest = from_ms(*newest);
  make_ballast(seen_);
  publish();
  return opening->opened;
}

Status StoreWorker::begin(const std::string& epoch, const Draft& started, FileStore::Hooks hooks) {
  if (!db_) return Error{Errc::kStorage, "the store cannot be used"};
  Status done = db_->begin(epoch, started, clock_.utc());
  if (!done && done.error().code == Errc::kFull && !db_->at_cap()) {
    disk_is_full(seen_);
    done = db_->begin(epoch, started, clock_.utc());
  }
  if (!done) return done;
  epoch_ = epoch;
  hooks_ = std::move(hooks);
  publish();
  return {};
}

MonoTime StoreWorker::step(MonoTime now) {
  if (handover_.closed()) return MonoTime::max();
  const Millis elapsed = std::max(Millis{0}, std::chrono::duration_cast<Millis>(now - seen_));
  seen_ += elapsed;
  if (!db_ && !reopen(now)) {
    const Error unusable{Errc::kStorage, "the store cannot be used at present"};
    for (const Look& look : handover_.take_looks()) look.ticket->settle(unusable);
    publish();
    return handover_.closed() ? MonoTime::max() : not_before_;
  }
  db_->pass(elapsed);
  serve_looks(now);
  if (db_ && now >= not_before_ && (!slice_.tasks.empty() || handover_.due() <= now)) commit(now);
  bool more = false;
  if (db_) more = tend(now);
  publish();
  if (handover_.closed()) return MonoTime::max();
  if (!db_) return not_before_;
  MonoTime due = slice_.tasks.empty() ? handover_.due() : now;
  due = std::max(due, not_before_);
  return more ? now : std::min({due, ballast_due_, now + std::min(kMinute, db_->purge_pitch())});
}

void StoreWorker::serve_looks(MonoTime now) {
  const std::int64_t last_key = db_->tally().next_key;
  handover_.given(last_key - 1);
  for (const Look& look : handover_.take_looks()) {
    if (!look.ticket->wanted()) continue;
    if (!db_) {
      look.ticket->settle(Error{Errc::kStorage, "the store cannot be used at present"});
      continue;
    }
    const Status done = look.run(*db_);
    // For who only reads, want of room is one more reason to ask again.
    const bool full = !done && done.error().code == Errc::kFull;
    look.ticket->settle(full ? Status(Error{Errc::kStorage, done.error().detail}) : done);
    if (!done) refused(done.error(), now);
  }
  // A range that was dropped is told by an event when reading comes to it.
  if (db_ && db_->tally().next_key != last_key && hooks_.committed) hooks_.committed();
}

/// True when something became durable.
bool StoreWorker::commit(MonoTime now) {
  const bool retried = !slice_.tasks.empty();
  const std::size_t max_tasks = one_by_one_ > 0 ? 1 : kAllTasks;
  // On a full disk the WAL has little room.
  handover_.fill(slice_, disk_full_ ? budget_.slice_bytes / 8 : budget_.slice_bytes, retried ? 0 : max_tasks);
  drop_unwanted();
  std::int64_t bytes = 0;
  for (const StoreTask& task : slice_.tasks) bytes += task.bytes;
  for (const auto& [name, value] : slice_.learned) bytes += static_cast<std::int64_t>(name.size() + value.size());

  if (one_by_one_ > 0) {
    --one_by_one_;
    // Alone: what is delivered is what makes room.
    if (Status done = move_cursors(); !done) return refused(done.error(), now), false;
  }
  const auto room = db_->make_room(bytes);
  if (!room) return refused(room.error(), now), false;
  if (!*room) shed_slice();
  const MonoTime before = clock_.mono();
  const std::int64_t last_key = db_->tally().next_key;
  const Status done = write_slice(*room);
  counts_.commit_us_last = std::chrono::duration_cast<Micros>(clock_.mono() - before).count();
  counts_.commit_us_max = std::max(counts_.commit_us_max, counts_.commit_us_last);
  counts_.commit_us_sum += counts_.commit_us_last;
  if (!done) {
    ++counts_.failed_commits;
    doubt_ = done.error().code == Errc::kFull ? 0 : db_->doubt();
    refused(done.error(), now);
    return false;
  }
  ++counts_.commits;
  pause_ = kPauseMin;
  wal_emptied_ = false;
  const bool records = db_->tally().next_key != last_key;
  slice_is_durable();
  if (records && hooks_.committed) hooks_.committed();
  return true;
}

Status StoreWorker::write_slice(bool room) {
  tells_lost_ = room && slice_.lost.count > 0;
  return db_->change([&] {
    for (const auto& [name, value] : slice_.learned) db_->remember(name, value);
    for (StoreTask& task : slice_.tasks) {
      if (task.record) db_->append(*task.record);
      if (task.change) task.outcome = task.change(*db_);
    }
    if (tells_lost_) {
      const LostReadings& lost = slice_.lost;
      const std::vector<std::string> meters(lost.meters.begin(), lost.meters.end());
      db_->append(format_.lost(lost.count, meters, lost.from, lost.to, lost.why, clock_.utc()));
    }
    for (const Lane lane : kAllLanes) {
      db_->move_sent(lane, slice_.cursors.sent[index_of(lane)]);
      db_->move_delivered(lane, slice_.cursors.delivered[index_of(lane)]);
    }
  });
}

Status StoreWorker::move_cursors() {
  return db_->change([&] {
    for (const Lane lane : kAllLanes) db_->move_delivered(lane, slice_.cursors.delivered[index_of(lane)]);
  });
}

void StoreWorker::slice_is_durable() {
  handover_.given(db_->tally().next_key - 1);
  for (const StoreTask& task : std::exchange(slice_.tasks, {})) {
    if (task.ticket) task.ticket->settle(task.outcome);
  }
  slice_.learned.clear();
  if (tells_lost_) slice_.lost = LostReadings{};
}

/// Who waited and left was told that nobody knows: what it wanted must not be done behind its back.
void StoreWorker::drop_unwanted() {
  auto& tasks = slice_.tasks;
  const auto left = [](const StoreTask& task) { return task.ticket && !task.ticket->wanted(); };
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), left), tasks.end());
}

void StoreWorker::shed_slice() {
  auto& tasks = slice_.tasks;
  for (const StoreTask& task : tasks) {
    if (task.is_reading()) {
      handover_.lose(*task.record, "the store is full of what must not be dropped");
    } else if (task.spare) {
      handover_.shed();
    }
  }
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), [](const StoreTask& task) { return task.spare; }),
              tasks.end());
}

/// True when there is more to do at once.
bool StoreWorker::tend(MonoTime now) {
  if (now >= ballast_due_) make_ballast(now);
  const auto more = db_->tend();
  if (more) return *more;
  if (more.error().code == Errc::kFull && disk_full_) {
    close_for_now(more.error(), now);
  } else {
    refused(more.error(), now);
  }
  return false;
}

void StoreWorker::make_ballast(MonoTime now) {
  std::error_code error;
  const auto size = std::filesystem::file_size(ballast(), error);
  const bool there = !error && size == static_cast<std::uintmax_t>(budget_.ballast_bytes);
  const Status done = there ? Status() : files_.allocate(ballast(), budget_.ballast_bytes);
  const bool full = !done && done.error().code == Errc::kFull;
  ballast_due_ = done ? MonoTime::max() : now + (full ? kRoomPause : kMinute);
  if (!done && !disk_full_) log_.warn("no ballast for the store", {{"why", done.error().detail}});
  if (full == disk_full_) return;
  disk_full_ = full;
  db_->hold_size(full);
}

void StoreWorker::publish() {
  StoreState state = counts_;
  state.failing = db_ == nullptr;
  state.disk_full = disk_full_;
  state.bytes_max = settings_.max_bytes;
  if (db_) {
    const Tally& tally = db_->tally();
    for (const Lane lane : kAllLanes) {
      const std::size_t i = index_of(lane);
      LaneState& shown = state.lanes[i];
      shown.waiting = tally.waiting[i];
      shown.last_seq = tally.last_seq[i];
      shown.appended = totals_.appended[i] + tally.appended[i];
      shown.delivered = totals_.done[i] + tally.done[i];
      shown.dropped = totals_.dropped[i] + tally.dropped[i];
      if (const auto oldest = db_->oldest_ms(lane)) shown.oldest_ms = *oldest;
    }
    state.open_commands = tally.open_commands;
    state.known_commands = tally.known_commands;
    state.dead_letters = tally.dead_next - tally.dead_first;
    state.bytes_used = settings_.max_bytes - (budget_.pages - db_->used_pages()) * Budget::kPage;
    counts_ = state;
  }
  handover_.publish(state, db_ && db_->only_reserve_left());
}

Status StoreWorker::finish() {
  if (const auto closed = handover_.closed()) return *closed;
  Status done;
  for (int tries = 0; tries < kLastTries;) {
    if (slice_.tasks.empty() && handover_.due() == MonoTime::max()) break;
    if (!db_) not_before_ = MonoTime::min();
    tries = (db_ || reopen(seen_)) && commit(seen_) ? 0 : tries + 1;
  }
  if (db_) done = db_->change([&] { db_->save(); });
  if (!db_ || !slice_.tasks.empty() || handover_.waiting_tasks() > 0) {
    done = Error{Errc::kStorage, "store " + settings_.path + ": not everything could be committed"};
  }
  db_.reset();
  handover_.close(Error{Errc::kStorage, "the store is closed"});
  return done;
}

}  // namespace metergate
