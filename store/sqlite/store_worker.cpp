#include "store/sqlite/store_worker.h"

#include <algorithm>
#include <limits>

#include "store/sqlite/recovery.h"

namespace metergate {

namespace {

constexpr Millis kPauseMin{1000};  // before the file is opened again, doubling
constexpr Millis kPauseMax{60000};
constexpr Millis kFullPause{1000};  // before the next commit when there was no room
constexpr Millis kFileCheckEvery{30000};
constexpr Millis kMinute{60000};
constexpr std::size_t kAllWrites = std::numeric_limits<std::size_t>::max();
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
      ballast_(settings.path + ".ballast", quota_.ballast_bytes, files, log),
      statistics_(settings),
      file_watch_(settings.path),
      seen_(clock.mono()),
      pause_(kPauseMin) {}

Result<Opened> StoreWorker::open() {
  auto opening = open_or_recover(settings_, format_, file_system_, log_);
  if (!opening) return opening.error();
  db_ = std::move(opening->database);
  queue_.set_last_key(db_->counters().next_key - 1);
  for (const Lane lane : kAllLanes) {
    queue_.move(&Cursors::sent, lane, db_->counters().sent[index_of(lane)], MonoTime::max());
    queue_.move(&Cursors::delivered, lane, db_->counters().delivered[index_of(lane)], MonoTime::max());
  }
  file_watch_.begin();
  if (const auto newest = db_->newest_ms()) opening->opened.newest = from_ms(*newest);
  make_ballast(seen_);
  publish();
  return opening->opened;
}

bool StoreWorker::knows(const std::string& epoch) {
  const auto known = db_->knows_epoch(epoch);
  return !known || *known;
}

Status StoreWorker::begin(const std::string& epoch, const Draft& started, FileStore::Hooks hooks) {
  if (!db_) return Error{Errc::kStorage, "the store cannot be used"};
  Status done = db_->begin(epoch, started, clock_.utc());
  if (!done && done.error().code == Errc::kFull && !db_->file_size().at_limit()) {
    disk_is_full(seen_);
    done = db_->begin(epoch, started, clock_.utc());
  }
  if (!done) return done;
  if (db_->losses_untold()) queue_.ask_commit(seen_);  // of an earlier run
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
    for (const ReadRequest& read : queue_.take_reads()) read.completion->settle(unusable);
    publish();
    return queue_.closed() ? MonoTime::max() : not_before_;
  }
  if (!files_are_there(now)) return MonoTime::max();
  db_->pass(elapsed);
  serve_reads(now);
  const bool commands_wait = one_by_one_ > 0 && queue_.commands_wait();
  if (db_ && (commands_wait || (now >= not_before_ && (batch_waits_ || queue_.due() <= now)))) commit(now);
  bool more = false;
  if (db_) more = tend(now);
  publish();
  if (queue_.closed()) return MonoTime::max();
  if (!db_) return not_before_;
  MonoTime due = batch_waits_ ? now : queue_.due();
  due = std::max(due, not_before_);
  return more ? now : std::min({due, ballast_.due(), file_check_due_, now + std::min(kMinute, db_->purge_pitch())});
}

bool StoreWorker::files_are_there(MonoTime now) {
  if (now < file_check_due_) return true;
  file_check_due_ = now + kFileCheckEvery;
  const Status there = file_watch_.check();
  if (there) return true;
  end(there.error());
  return false;
}

void StoreWorker::serve_reads(MonoTime now) {
  const std::int64_t last_key = db_->counters().next_key;
  queue_.set_last_key(last_key - 1);
  for (const ReadRequest& read : queue_.take_reads()) {
    if (!read.completion->wanted()) continue;
    if (!db_) {
      read.completion->settle(Error{Errc::kStorage, "the store cannot be used at present"});
      continue;
    }
    const Status done = read.run(*db_);
    // A reader is told to ask again; that there was no room is of no use to it.
    const bool full = !done && done.error().code == Errc::kFull;
    read.completion->settle(full ? Status(Error{Errc::kStorage, done.error().detail}) : done);
    if (!done) refused(done.error(), now);
  }
  // Reading may have appended events that tell dropped ranges.
  if (db_ && db_->counters().next_key != last_key && hooks_.committed) hooks_.committed();
}

/// True when something became durable.
bool StoreWorker::commit(MonoTime now) {
  // Without room, a command is answered at once: it does not wait behind what does not fit.
  if (one_by_one_ > 0) queue_.take_commands(batch_);
  const bool retried = !batch_.writes.empty();
  const std::size_t max_writes = one_by_one_ > 0 ? 1 : kAllWrites;
  // On a full disk the WAL has little room.
  queue_.fill(batch_, ballast_.disk_full() ? quota_.batch_bytes / 8 : quota_.batch_bytes, retried ? 0 : max_writes);
  batch_waits_ = true;
  drop_unwanted();
  std::int64_t bytes = 0;
  for (const WriteRequest& write : batch_.writes) bytes += write.bytes;
  for (const auto& [name, value] : batch_.values) bytes += static_cast<std::int64_t>(name.size() + value.size());

  if (one_by_one_ > 0 && !retried) --one_by_one_;
  // Alone, and before anything is evicted: what is delivered meanwhile makes room, and is no loss.
  if (!db_->has_room(bytes)) {
    if (Status done = db_->change([this] { move_cursors(); }); !done) return refused(done.error(), now), false;
  }
  const auto room = db_->make_room(bytes);
  if (!room) return refused(room.error(), now), false;
  if (!*room) shed_batch();
  const MonoTime before = clock_.mono();
  const std::int64_t last_key = db_->counters().next_key;
  const bool untold = batch_.lost.count > 0 || db_->losses_untold();
  const bool tells = *room && untold && now >= tell_again_;
  const Status done = write_batch(tells);
  statistics_.commit_took(std::chrono::duration_cast<Micros>(clock_.mono() - before), static_cast<bool>(done));
  if (!done) {
    doubt_ = done.error().code == Errc::kFull ? 0 : db_->doubt();
    refused(done.error(), now);
    return false;
  }
  pause_ = kPauseMin;
  wal_emptied_ = false;
  const bool records = db_->counters().next_key != last_key;
  if (tells) tell_again_ = now + kMinute;
  batch_is_durable();
  if (*room && db_->losses_untold()) queue_.ask_commit(tell_again_);
  if (records && hooks_.committed) hooks_.committed();
  return true;
}

Status StoreWorker::write_batch(bool tells) {
  return db_->change([&] {
    for (const auto& [name, value] : batch_.values) db_->put(name, value);
    for (WriteRequest& write : batch_.writes) {
      if (write.record) db_->append(*write.record);
      if (write.change) write.outcome = write.change(*db_);
    }
    db_->count_lost(batch_.lost);
    if (tells) db_->tell_losses(clock_.utc());
    move_cursors();
  });
}

/// Within change().
void StoreWorker::move_cursors() {
  for (const Lane lane : kAllLanes) {
    db_->move_sent(lane, batch_.cursors.sent[index_of(lane)]);
    db_->move_delivered(lane, batch_.cursors.delivered[index_of(lane)]);
  }
}

void StoreWorker::batch_is_durable() {
  queue_.set_last_key(db_->counters().next_key - 1);
  for (const WriteRequest& write : std::exchange(batch_.writes, {})) {
    if (write.completion) write.completion->settle(write.outcome);
  }
  batch_.values.clear();
  batch_waits_ = false;
  queue_.values_written();
  batch_.lost = LostReadings{};
}

/// A caller that waited no longer was told that the outcome is unknown. What it wanted must not be done later.
void StoreWorker::drop_unwanted() {
  auto& writes = batch_.writes;
  const auto left = [](const WriteRequest& write) { return write.completion && !write.completion->wanted(); };
  writes.erase(std::remove_if(writes.begin(), writes.end(), left), writes.end());
}

void StoreWorker::shed_batch() {
  auto& writes = batch_.writes;
  for (const WriteRequest& write : writes) {
    if (write.is_reading()) {
      const Draft& reading = *write.record;
      batch_.lost.add({1, {reading.meter}, reading.at, reading.at, "the store is full of what must not be dropped"});
      queue_.count_lost();
    } else if (write.spare) {
      queue_.shed();
    }
  }
  writes.erase(std::remove_if(writes.begin(), writes.end(), [](const WriteRequest& write) { return write.spare; }),
               writes.end());
}

/// True when there is more to do at once.
bool StoreWorker::tend(MonoTime now) {
  if (now >= ballast_.due()) make_ballast(now);
  const auto more = db_->tend();
  if (more) return *more;
  if (more.error().code == Errc::kFull && ballast_.disk_full()) {
    close_for_now(more.error(), now);
  } else {
    refused(more.error(), now);
  }
  return false;
}

void StoreWorker::make_ballast(MonoTime now) {
  const bool was_full = ballast_.disk_full();
  ballast_.make(now);
  if (ballast_.disk_full() != was_full) db_->file_size().hold(!was_full);
}

void StoreWorker::publish() {
  queue_.publish(statistics_.state(db_.get(), ballast_.disk_full()), db_ && db_->only_reserve_left());
}

void StoreWorker::refused(const Error& error, MonoTime now) {
  switch (error.code) {
    case Errc::kFull:
      return no_room(now);
    case Errc::kCorrupt:
      return quarantine_file(error);
    case Errc::kStorage:
    case Errc::kLocked:
      return close_for_now(error, now);
    default:
      return;  // an answer to who asked, no failure of the store
  }
}

void StoreWorker::no_room(MonoTime now) {
  if (!ballast_.disk_full() && !db_->file_size().at_limit()) disk_is_full(now);
  if (ballast_.disk_full() && !std::exchange(wal_emptied_, true) && db_->write_back()) return;
  // Drop readings and events, tell the callers that wait, and try results again: each in a commit of its own, so that
  // one that does not fit does not hold up the next.
  shed_batch();
  const Status counted = count_refused();
  for (WriteRequest& write : std::exchange(batch_.writes, {})) {
    if (write.completion) {
      const bool refused_in_vain = write.refuse && !counted;
      write.completion->settle(refused_in_vain ? counted : Status(Error{Errc::kFull, "the store has no room"}));
    } else {
      queue_.push(std::move(write));
    }
  }
  one_by_one_ = queue_.waiting_writes() + 1;
  not_before_ = now + kFullPause;
}

/// Alone, since it needs no room. A command whose refusal is not on the file must not be acknowledged.
Status StoreWorker::count_refused() {
  const Status counted = db_->change([this] {
    for (const WriteRequest& write : batch_.writes) {
      if (write.refuse) write.refuse(*db_);
    }
  });
  return counted ? Status() : Status(Error{Errc::kStorage, "the store cannot even count: " + counted.error().detail});
}

/// The ballast gives room for the WAL. From then on the file keeps the size that it has.
void StoreWorker::disk_is_full(MonoTime now) {
  log_.error("disk full: keeping the newest data in the space that is left", {{"store", settings_.path}});
  remove_older_quarantined(settings_.path, file_system_);
  ballast_.give_back(now);
  db_->file_size().hold(true);
}

void StoreWorker::close_for_now(const Error& error, MonoTime now) {
  log_.error("store fails, opening it again", {{"why", error.detail}, {"in_ms", std::to_string(pause_.count())}});
  if (db_) statistics_.closed(db_->counters());
  if (db_) held_ = db_->counters().held;
  db_.reset();
  not_before_ = now + pause_;
  pause_ = std::min(kPauseMax, pause_ * 2);
}

bool StoreWorker::reopen(MonoTime now) {
  if (now < not_before_) return false;
  if (const Status there = file_watch_.check_database(); !there) {
    end(there.error());
    return false;
  }
  auto opened = Database::open(settings_, format_);
  Status done = opened ? Status() : Status(opened.error());
  if (done && !epoch_.empty()) done = (*opened)->resume(epoch_);
  if (done) done = (*opened)->write_back();
  if (!done) {
    const Error& error = done.error();
    if (opened) opened->reset();
    if (error.code == Errc::kInvalid) {
      end(error);
    } else if (error.code == Errc::kCorrupt) {
      quarantine_file(error);
    } else {
      close_for_now(error, now);
    }
    return false;
  }
  db_ = std::move(*opened);
  db_->hold(held_);
  file_watch_.begin();
  statistics_.reopened();
  log_.info("store works again", {{"store", settings_.path}});
  if (ballast_.disk_full()) db_->file_size().hold(true);
  // The failed commit may have reached the file all the same: then its keys are there, and so is all that it wrote.
  if (doubt_ != 0 && db_->counters().next_key > doubt_) batch_is_durable();
  doubt_ = 0;
  return true;
}

void StoreWorker::quarantine_file(const Error& why) {
  db_.reset();
  if (Status done = quarantine(settings_.path, file_system_); !done) {
    log_.error("cannot quarantine the damaged store", {{"why", done.error().detail}});
  }
  end(why);
}

void StoreWorker::end(const Error& why) {
  log_.error("store cannot be used any more, stopping", {{"why", why.detail}});
  db_.reset();
  for (const WriteRequest& write : std::exchange(batch_.writes, {})) {
    if (write.completion) write.completion->settle(Error{Errc::kCorrupt, why.detail});
  }
  queue_.close(Error{Errc::kCorrupt, why.detail});
  if (hooks_.ended) hooks_.ended();
}

Status StoreWorker::finish() {
  if (const auto closed = queue_.closed()) return *closed;
  Status done;
  tell_again_ = MonoTime::min();  // what is held back is told at a stop
  if (db_ && db_->losses_untold()) queue_.ask_commit(seen_);
  for (int tries = 0; tries < kLastTries;) {
    if (db_ && !batch_waits_ && queue_.due() == MonoTime::max()) break;
    if (!db_) not_before_ = MonoTime::min();
    tries = (db_ || reopen(seen_)) && commit(seen_) ? 0 : tries + 1;
  }
  if (db_) done = db_->change([&] { db_->save(); });
  if (!db_ || batch_waits_ || queue_.waiting_writes() > 0) {
    done = Error{Errc::kStorage, "store " + settings_.path + ": not everything could be committed"};
  }
  db_.reset();
  queue_.close(Error{Errc::kStorage, "the store is closed"});
  return done;
}

}  // namespace metergate
