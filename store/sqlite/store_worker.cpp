#include "store/sqlite/store_worker.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "store/sqlite/recovery.h"

namespace metergate {

namespace {

constexpr Millis kPauseMin{1000};
constexpr Millis kMinute{60000};
constexpr std::size_t kAllTasks = std::numeric_limits<std::size_t>::max();
constexpr int kLastTries = 3;

}  // namespace

StoreWorker::StoreWorker(const StoreSettings& settings, const RecordFormat& format, FileSystem& files,
                         const Clock& clock, Log& log, CommitQueue& queue)
    : settings_(settings),
      format_(format),
      file_system_(files),
      clock_(clock),
      log_(log),
      queue_(queue),
      quota_(settings.max_bytes),
      seen_(clock.mono()),
      pause_(kPauseMin) {}

Result<Opened> StoreWorker::open() {
  auto opening = open_or_recover(settings_, format_, file_system_, log_);
  if (!opening) return opening.error();
  db_ = std::move(opening->database);
  queue_.given(db_->counters().next_key - 1);
  for (const Lane lane : kAllLanes) {
    queue_.move(&Cursors::sent, lane, db_->counters().sent[index_of(lane)], MonoTime::max());
    queue_.move(&Cursors::delivered, lane, db_->counters().delivered[index_of(lane)], MonoTime::max());
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
  if (queue_.closed()) return MonoTime::max();
  const Millis elapsed = std::max(Millis{0}, std::chrono::duration_cast<Millis>(now - seen_));
  seen_ += elapsed;
  if (!db_ && !reopen(now)) {
    const Error unusable{Errc::kStorage, "the store cannot be used at present"};
    for (const ReadRequest& look : queue_.take_reads()) look.completion->settle(unusable);
    publish();
    return queue_.closed() ? MonoTime::max() : not_before_;
  }
  db_->pass(elapsed);
  serve_reads(now);
  if (db_ && now >= not_before_ && (!batch_.tasks.empty() || queue_.due() <= now)) commit(now);
  bool more = false;
  if (db_) more = tend(now);
  publish();
  if (queue_.closed()) return MonoTime::max();
  if (!db_) return not_before_;
  MonoTime due = batch_.tasks.empty() ? queue_.due() : now;
  due = std::max(due, not_before_);
  return more ? now : std::min({due, ballast_due_, now + std::min(kMinute, db_->purge_pitch())});
}

void StoreWorker::serve_reads(MonoTime now) {
  const std::int64_t last_key = db_->counters().next_key;
  queue_.given(last_key - 1);
  for (const ReadRequest& look : queue_.take_reads()) {
    if (!look.completion->wanted()) continue;
    if (!db_) {
      look.completion->settle(Error{Errc::kStorage, "the store cannot be used at present"});
      continue;
    }
    const Status done = look.run(*db_);
    // For who only reads, want of room is one more reason to ask again.
    const bool full = !done && done.error().code == Errc::kFull;
    look.completion->settle(full ? Status(Error{Errc::kStorage, done.error().detail}) : done);
    if (!done) refused(done.error(), now);
  }
  // A range that was dropped is told by an event when reading comes to it.
  if (db_ && db_->counters().next_key != last_key && hooks_.committed) hooks_.committed();
}

/// True when something became durable.
bool StoreWorker::commit(MonoTime now) {
  const bool retried = !batch_.tasks.empty();
  const std::size_t max_tasks = one_by_one_ > 0 ? 1 : kAllTasks;
  // On a full disk the WAL has little room.
  queue_.fill(batch_, disk_full_ ? quota_.batch_bytes / 8 : quota_.batch_bytes, retried ? 0 : max_tasks);
  drop_unwanted();
  std::int64_t bytes = 0;
  for (const WriteRequest& task : batch_.tasks) bytes += task.bytes;
  for (const auto& [name, value] : batch_.learned) bytes += static_cast<std::int64_t>(name.size() + value.size());

  if (one_by_one_ > 0) {
    --one_by_one_;
    // Alone: what is delivered is what makes room.
    if (Status done = move_cursors(); !done) return refused(done.error(), now), false;
  }
  const auto room = db_->make_room(bytes);
  if (!room) return refused(room.error(), now), false;
  if (!*room) shed_batch();
  const MonoTime before = clock_.mono();
  const std::int64_t last_key = db_->counters().next_key;
  const Status done = write_batch(*room);
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
  const bool records = db_->counters().next_key != last_key;
  batch_is_durable();
  if (records && hooks_.committed) hooks_.committed();
  return true;
}

Status StoreWorker::write_batch(bool room) {
  tells_lost_ = room && batch_.lost.count > 0;
  return db_->change([&] {
    for (const auto& [name, value] : batch_.learned) db_->put(name, value);
    for (WriteRequest& task : batch_.tasks) {
      if (task.record) db_->append(*task.record);
      if (task.change) task.outcome = task.change(*db_);
    }
    if (tells_lost_) {
      const LostReadings& lost = batch_.lost;
      const std::vector<std::string> meters(lost.meters.begin(), lost.meters.end());
      db_->append(format_.lost(lost.count, meters, lost.from, lost.to, lost.why, clock_.utc()));
    }
    for (const Lane lane : kAllLanes) {
      db_->move_sent(lane, batch_.cursors.sent[index_of(lane)]);
      db_->move_delivered(lane, batch_.cursors.delivered[index_of(lane)]);
    }
  });
}

Status StoreWorker::move_cursors() {
  return db_->change([&] {
    for (const Lane lane : kAllLanes) db_->move_delivered(lane, batch_.cursors.delivered[index_of(lane)]);
  });
}

void StoreWorker::batch_is_durable() {
  queue_.given(db_->counters().next_key - 1);
  for (const WriteRequest& task : std::exchange(batch_.tasks, {})) {
    if (task.completion) task.completion->settle(task.outcome);
  }
  batch_.learned.clear();
  if (tells_lost_) batch_.lost = LostReadings{};
}

/// Who waited and left was told that nobody knows: what it wanted must not be done behind its back.
void StoreWorker::drop_unwanted() {
  auto& tasks = batch_.tasks;
  const auto left = [](const WriteRequest& task) { return task.completion && !task.completion->wanted(); };
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), left), tasks.end());
}

void StoreWorker::shed_batch() {
  auto& tasks = batch_.tasks;
  for (const WriteRequest& task : tasks) {
    if (task.is_reading()) {
      queue_.lose(*task.record, "the store is full of what must not be dropped");
    } else if (task.spare) {
      queue_.shed();
    }
  }
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), [](const WriteRequest& task) { return task.spare; }),
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
  const bool there = !error && size == static_cast<std::uintmax_t>(quota_.ballast_bytes);
  const Status done = there ? Status() : file_system_.allocate(ballast(), quota_.ballast_bytes);
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
    const Counters& counters = db_->counters();
    for (const Lane lane : kAllLanes) {
      const std::size_t i = index_of(lane);
      LaneState& shown = state.lanes[i];
      shown.waiting = counters.waiting[i];
      shown.last_seq = counters.last_seq[i];
      shown.appended = totals_.appended[i] + counters.appended[i];
      shown.delivered = totals_.done[i] + counters.done[i];
      shown.dropped = totals_.dropped[i] + counters.dropped[i];
      if (const auto oldest = db_->oldest_ms(lane)) shown.oldest_ms = *oldest;
    }
    state.open_commands = counters.open_commands;
    state.known_commands = counters.known_commands;
    state.dead_letters = counters.dead_next - counters.dead_first;
    state.bytes_used = settings_.max_bytes - (quota_.pages - db_->used_pages()) * Quota::kPage;
    counts_ = state;
  }
  queue_.publish(state, db_ && db_->only_reserve_left());
}

Status StoreWorker::finish() {
  if (const auto closed = queue_.closed()) return *closed;
  Status done;
  for (int tries = 0; tries < kLastTries;) {
    if (batch_.tasks.empty() && queue_.due() == MonoTime::max()) break;
    if (!db_) not_before_ = MonoTime::min();
    tries = (db_ || reopen(seen_)) && commit(seen_) ? 0 : tries + 1;
  }
  if (db_) done = db_->change([&] { db_->save(); });
  if (!db_ || !batch_.tasks.empty() || queue_.waiting_tasks() > 0) {
    done = Error{Errc::kStorage, "store " + settings_.path + ": not everything could be committed"};
  }
  db_.reset();
  queue_.close(Error{Errc::kStorage, "the store is closed"});
  return done;
}

}  // namespace metergate
