#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/base/log.h"
#include "store/sqlite/ballast.h"
#include "store/sqlite/commit_queue.h"
#include "store/sqlite/file_store.h"
#include "store/sqlite/file_system.h"
#include "store/sqlite/file_watch.h"
#include "store/sqlite/store_statistics.h"

namespace metergate {

/// The work of the store's thread: takes what the queue holds, commits it in groups, and keeps the store going when
/// disk or file fail.
///
/// Nothing left to evict: new readings and events are counted as lost. Disk full: the ballast is given back, and the
/// file keeps its size. Another failure: the file is closed and opened again, at pauses that grow from 1 s to 1 min; a
/// batch whose commit failed is written again, unless the file shows that it was written. Damaged, deleted or replaced
/// (looked for every 30 s): the store ends this run. No event can tell of a deleted store, since there is nowhere to
/// keep it; the next start begins a new one and says so in `started`.
class StoreWorker {
 public:
  StoreWorker(const StoreSettings& settings, const RecordFormat& format, FileSystem& files, const Clock& clock,
              Log& log, CommitQueue& queue);

  /// Opens or makes the file. Errors as FileStore::open.
  Result<Opened> open();
  /// Between open() and begin(): whether the store ever drew the epoch; in doubt it did.
  bool knows(const std::string& epoch);
  Status begin(const std::string& epoch, const Draft& started, FileStore::Hooks hooks);
  MonoTime step(MonoTime now);
  Status finish();

 private:
  bool reopen(MonoTime now);
  bool files_are_there(MonoTime now);
  void serve_reads(MonoTime now);
  bool commit(MonoTime now);
  Status write_batch(bool tells);
  void move_cursors();
  void drop_unwanted();
  void batch_is_durable();
  void shed_batch();
  bool tend(MonoTime now);
  void make_ballast(MonoTime now);

  void refused(const Error& error, MonoTime now);
  void no_room(MonoTime now);
  Status count_refused();
  void disk_is_full(MonoTime now);
  void close_for_now(const Error& error, MonoTime now);
  void quarantine_file(const Error& why);
  void end(const Error& why);
  void publish();

  const StoreSettings& settings_;
  const RecordFormat& format_;
  FileSystem& file_system_;
  const Clock& clock_;
  Log& log_;
  CommitQueue& queue_;
  const Quota quota_;
  FileStore::Hooks hooks_;

  Ballast ballast_;
  StoreStatistics statistics_;

  std::unique_ptr<Database> db_;  // none while the file cannot be used
  Counters::PerLane held_{};      // in flight when the file was closed
  FileWatch file_watch_;
  MonoTime file_check_due_ = MonoTime::min();
  std::string epoch_;
  WriteBatch batch_;
  bool batch_waits_ = false;    // it is to be committed again
  std::int64_t doubt_ = 0;      // first key of its failed commit
  std::size_t one_by_one_ = 0;  // so many writes are to be committed each on its own
  bool wal_emptied_ = false;    // since the last commit, to make room
  MonoTime seen_;
  MonoTime tell_again_ = MonoTime::min();  // of losses: events that repeat come once a minute
  MonoTime not_before_ = MonoTime::min();  // of the next commit, or of the next try to open
  Millis pause_;
};

}  // namespace metergate
