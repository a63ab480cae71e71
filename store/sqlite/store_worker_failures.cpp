#include <algorithm>
#include <filesystem>

#include "store/sqlite/recovery.h"
#include "store/sqlite/store_worker.h"

// What becomes of a store that cannot write: no room, no disk, a damaged file.

namespace metergate {

namespace {

constexpr Millis kPauseMax{60000};
constexpr Millis kFullPause{1000};

}  // namespace

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
  if (!disk_full_ && !db_->at_cap()) disk_is_full(now);
  if (disk_full_ && !std::exchange(wal_emptied_, true) && db_->write_back()) return;
  // Readings and events go, who waits is told, results are tried again and again: each on its own, since one that does
  // not fit must not keep the next from it.
  shed_batch();
  for (WriteRequest& task : std::exchange(batch_.tasks, {})) {
    if (task.completion) {
      task.completion->settle(Error{Errc::kFull, "the store has no room"});
    } else {
      queue_.push(std::move(task));
    }
  }
  one_by_one_ = queue_.waiting_tasks() + 1;
  not_before_ = now + kFullPause;
}

/// On a full disk SQLite could not even delete, since that needs room in the WAL: the ballast gives it. Then the store
/// keeps to the size that its file has.
void StoreWorker::disk_is_full(MonoTime now) {
  log_.error("disk full: the store does with the room that it has", {{"store", settings_.path}});
  remove_older_quarantined(settings_.path, file_system_);
  if (Status done = file_system_.remove(ballast()); !done) log_.warn("ballast stays", {{"why", done.error().detail}});
  disk_full_ = true;
  db_->hold_size(true);
  ballast_due_ = now + kRoomPause;
}

void StoreWorker::close_for_now(const Error& error, MonoTime now) {
  log_.error("store fails, it is opened again", {{"why", error.detail}, {"in_ms", std::to_string(pause_.count())}});
  if (db_) add_totals(db_->counters());
  db_.reset();
  not_before_ = now + pause_;
  pause_ = std::min(kPauseMax, pause_ * 2);
}

/// The next tally counts from nothing.
void StoreWorker::add_totals(const Counters& counters) {
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    totals_.appended[i] += counters.appended[i];
    totals_.done[i] += counters.done[i];
    totals_.dropped[i] += counters.dropped[i];
  }
}

bool StoreWorker::reopen(MonoTime now) {
  if (now < not_before_) return false;
  std::error_code unknown;
  if (!std::filesystem::exists(settings_.path, unknown) && !unknown) {
    end(Error{Errc::kCorrupt, "store " + settings_.path + ": the file is gone"});
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
  ++counts_.reopened;
  log_.info("store works again", {{"store", settings_.path}});
  if (disk_full_) db_->hold_size(true);
  // The failed commit may have reached the file all the same. Then its numbers are given, and its content holds.
  if (doubt_ != 0 && db_->counters().next_key > doubt_) batch_is_durable();
  doubt_ = 0;
  return true;
}

void StoreWorker::quarantine_file(const Error& why) {
  db_.reset();
  if (Status done = quarantine(settings_.path, file_system_); !done) {
    log_.error("damaged store stays where it is", {{"why", done.error().detail}});
  }
  end(why);
}

void StoreWorker::end(const Error& why) {
  log_.error("store ends this run", {{"why", why.detail}});
  db_.reset();
  for (const WriteRequest& task : std::exchange(batch_.tasks, {})) {
    if (task.completion) task.completion->settle(Error{Errc::kCorrupt, why.detail});
  }
  queue_.close(Error{Errc::kCorrupt, why.detail});
  if (hooks_.ended) hooks_.ended();
}

}  // namespace metergate
