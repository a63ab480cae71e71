#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/archive.h"
#include "store/outbox.h"
#include "store/sqlite/annals.h"
#include "store/sqlite/command_table.h"
#include "store/sqlite/counters.h"
#include "store/sqlite/dropped_ranges.h"
#include "store/sqlite/page_reader.h"
#include "store/sqlite/quota.h"
#include "store/sqlite/record_tables.h"
#include "store/sqlite/retention.h"

namespace metergate {

/// The store's file and its rules, for one thread. After kStorage the object is to be thrown away and the file opened
/// again, after kCorrupt the file is to be set aside.
class Database {
 public:
  /// A new file at `path`, finished and synced, with whatever `fill` writes into it.
  static Status create(const std::string& path, const StoreSettings& settings,
                       const std::function<Status(SqliteConnection&, Annals&)>& fill);
  /// Errors: kInvalid (another gateway's, or of a newer version), kLocked, kStorage, kCorrupt.
  static Result<std::unique_ptr<Database>> open(const StoreSettings& settings, const RecordFormat& format);

  const Counters& counters() const { return counters_; }
  Annals& annals() { return annals_; }
  /// The last number of each lane in the newest epoch, before begin().
  LaneNumbers last_numbers() const;

  /// Gives out the epoch's first number; `started` is on the file when this returns.
  Status begin(const std::string& epoch, const Draft& started, UtcTime now);
  /// Goes on in the epoch that the file knows as its newest. Errors: kInvalid if that is another one.
  Status resume(const std::string& epoch);
  /// Running time passes.
  void pass(Millis elapsed) { counters_.run_ms += elapsed.count(); }

  /// All that `body` does, or nothing. Errors: kFull (nothing), kStorage (unknown, see doubt), kCorrupt.
  Status change(const std::function<void()>& body);
  /// After change() failed with kStorage: the first key that it gave out. If the file knows that key when opened again,
  /// the change is in it; if it gave out none (0), its body can simply be run again.
  std::int64_t doubt() const { return doubt_; }

  // Within change().
  std::int64_t append(const Draft& draft);
  /// Errors: kFull (not even the reserve has room for it).
  Result<Admission> admit(const StoredCommand& command, const std::optional<Draft>& verdict);
  bool mark_started(std::int64_t key) { return commands_.mark_started(key); }
  void complete(std::int64_t key, const Draft& result);
  void put(const std::string& name, const std::string& value) { notebook_.put(name, value); }
  void add_dead_letter(UtcTime at, const std::string& topic, const std::string& why, const std::string& payload);
  void move_sent(Lane lane, std::int64_t key);
  void move_delivered(Lane lane, std::int64_t key);
  void add_catalog(const std::string& hash, const std::string& bytes);
  void save() { counters_.unsaved = true; }  ///< the running time, too

  // Reading; each may find the file damaged.
  /// Tells ranges that lie before the rows by events first, so it may write.
  Result<Batch> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes, UtcTime now);
  Result<std::vector<Row>> fetch(const std::vector<std::int64_t>& keys);
  /// `delivered`: where the cursor is about to be. See Outbox::receipt.
  Result<Receipted> receipt(const Receipt& receipt, std::int64_t published, std::int64_t delivered);
  Result<ReplayPiece> search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                             std::size_t max_bytes);
  Result<std::vector<StoredCommand>> open_commands(const std::string& bus, std::int64_t after, std::size_t max);
  Result<std::vector<std::string>> open_buses();
  Result<std::optional<std::string>> get(const std::string& name);
  Result<bool> knows_epoch(const std::string& epoch);
  Result<std::vector<std::string>> catalogs_waiting();
  Result<std::optional<std::string>> catalog(const std::string& hash);
  Result<StorePage<DropEntry>> drops(std::int64_t after);
  Result<StorePage<DeadEntry>> dead_letters(std::int64_t after);
  Result<StorePage<CommandEntry>> commands(std::int64_t after);
  Result<StorePage<RecordEntry>> records(const RecordSpan& span, std::int64_t after);
  Result<std::int64_t> oldest_ms(Lane lane);
  Result<std::int64_t> newest_ms();

  /// Lets go what has to go first until `bytes` more fit below the reserve. False: nothing is left that may go.
  Result<bool> make_room(std::int64_t bytes);
  bool only_reserve_left() const { return tight_; }
  /// One piece of housekeeping: WAL, ages, shrinking. True when there is more to do now.
  Result<bool> tend();
  Millis purge_pitch() const { return retention_.pitch(); }
  /// Nothing of the file is in the WAL only any more. Needed after a failed commit: what could not be synced once may
  /// be taken for synced by the kernel ever after, so it is written again. And on a full disk, where the WAL cannot
  /// grow.
  Status write_back();
  /// No larger than it is now: the disk is full. Or as large as the cap allows again.
  void hold_size(bool hold);
  /// Whether the cap, not the disk, is what made kFull.
  bool at_cap();
  std::int64_t used_pages();

 private:
  Database(std::unique_ptr<SqliteConnection> connection, const StoreSettings& settings, const RecordFormat& format);
  void load();
  void load_counts();
  void save_counters();
  std::int64_t kept_bytes(std::int64_t answer);
  std::int64_t append_to(RecordTable table, const Draft& draft);
  bool tell_dropped(Lane lane, std::int64_t horizon, UtcTime now);
  bool evict(std::int64_t bytes);
  std::int64_t evict_delivered(std::int64_t bytes);
  bool drop(RecordTable table, std::int64_t bytes);
  std::int64_t take(RecordTable table, std::int64_t upto, std::int64_t max_rows, std::int64_t bytes);
  std::int64_t disposable_upto(RecordTable table);
  std::int64_t last_key_of(const Annals::Epoch& epoch);
  bool takes_command(std::int64_t bytes);
  bool purge();
  bool forget_answers();
  template <class T>
  Result<T> judged(T value);

  const RecordFormat& format_;
  Quota quota_;
  std::unique_ptr<SqliteConnection> connection_;
  RecordTables record_tables_;
  CommandTable commands_;
  DroppedRanges dropped_ranges_;
  Retention retention_;
  Annals annals_;
  Notebook notebook_;
  PageReader page_reader_;
  Statement page_count_, free_count_, write_counter_;

  Counters counters_;
  std::string epoch_;
  /// By lane, then by an epoch's first key: receipts cover it up to this key. Of epochs beyond `delivered` only, so at
  /// most as many as are known.
  std::array<std::map<std::int64_t, std::int64_t>, kLanes> covered_;
  std::int64_t doubt_ = 0;
  std::int64_t saved_ms_ = 0;  // running time when the counters were last written
  std::int64_t next_purge_ms_ = 0;
  std::int64_t limit_pages_;
  bool tight_ = false;
  bool held_ = false;  // no larger than it is
};

}  // namespace metergate
