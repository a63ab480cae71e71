#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/base/log.h"
#include "store/sqlite/commit_queue.h"
#include "store/sqlite/file_store.h"

namespace metergate {

/// The store's thread: takes what was handed over, commits it in groups, and keeps the file going when disk or file
/// fail.
class StoreWorker {
 public:
  StoreWorker(const StoreSettings& settings, const RecordFormat& format, FileSystem& files, const Clock& clock,
              Log& log, CommitQueue& queue);

  /// Opens or makes the file. Errors as FileStore::open.
  Result<Opened> open();
  Status begin(const std::string& epoch, const Draft& started, FileStore::Hooks hooks);
  MonoTime step(MonoTime now);
  Status finish();

 private:
  static constexpr Millis kRoomPause{10'000};  // between looks whether a full disk has room for the ballast again
  bool reopen(MonoTime now);
  void serve_reads(MonoTime now);
  bool commit(MonoTime now);
  Status write_batch(bool room);
  Status move_cursors();
  void drop_unwanted();
  void batch_is_durable();
  void shed_batch();
  bool tend(MonoTime now);
  void make_ballast(MonoTime now);

  void refused(const Error& error, MonoTime now);
  void no_room(MonoTime now);
  void disk_is_full(MonoTime now);
  void add_totals(const Counters& counters);
  void close_for_now(const Error& error, MonoTime now);
  void quarantine_file(const Error& why);
  void end(const Error& why);
  void publish();
  std::string ballast() const { return settings_.path + ".ballast"; }

  const StoreSettings& settings_;
  const RecordFormat& format_;
  FileSystem& file_system_;
  const Clock& clock_;
  Log& log_;
  CommitQueue& queue_;
  const Quota quota_;
  FileStore::Hooks hooks_;

  std::unique_ptr<Database> db_;  // none while the file cannot be used
  std::string epoch_;
  WriteBatch batch_;
  bool tells_lost_ = false;     // its last try told of the readings lost
  std::int64_t doubt_ = 0;      // first key of its failed commit
  std::size_t one_by_one_ = 0;  // so many tasks are to be written each on its own
  bool disk_full_ = false;
  bool wal_emptied_ = false;  // since the last commit, to make room
  Counters totals_;           // of the databases closed since start
  StoreState counts_;         // what no tally knows
  MonoTime seen_;
  MonoTime not_before_ = MonoTime::min();  // of the next commit, or of the next try to open
  MonoTime ballast_due_ = MonoTime::max();
  Millis pause_;
};

}  // namespace metergate
