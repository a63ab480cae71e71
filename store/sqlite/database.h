#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/archive.h"
#include "store/outbox.h"
#include "store/sqlite/catalog_table.h"
#include "store/sqlite/command_table.h"
#include "store/sqlite/counted_losses.h"
#include "store/sqlite/counter_table.h"
#include "store/sqlite/dead_letter_table.h"
#include "store/sqlite/dropped_ranges.h"
#include "store/sqlite/epoch_table.h"
#include "store/sqlite/eviction.h"
#include "store/sqlite/file_size.h"
#include "store/sqlite/key_value_table.h"
#include "store/sqlite/page_reader.h"
#include "store/sqlite/quota.h"
#include "store/sqlite/receipt_coverage.h"
#include "store/sqlite/record_tables.h"
#include "store/sqlite/retention.h"
#include "store/sqlite/store_properties.h"

namespace metergate {

/// The store's file and its rules, for one thread. After kStorage, destroy the object and open the file again; after
/// kCorrupt, quarantine the file.
class Database {
 public:
  /// A new file at `path`, finished and synced, with whatever `fill` writes into it.
  static Status create(const std::string& path, const StoreSettings& settings,
                       const std::function<Status(SqliteConnection&, StoreProperties&)>& fill);
  /// Errors: kInvalid (another gateway's, or of a newer version), kLocked, kStorage, kCorrupt.
  static Result<std::unique_ptr<Database>> open(const StoreSettings& settings, const RecordFormat& format);

  bool losses_untold() const { return losses_.untold(); }
  const Counters& counters() const { return counters_; }
  StoreProperties& properties() { return properties_; }
  EpochTable& epochs() { return epochs_; }
  /// The last number of each lane in the newest epoch, before begin().
  LaneNumbers last_numbers() const;

  /// Writes the epoch and `started`, its event number 1. Durable when it returns.
  Status begin(const std::string& epoch, const Draft& started, UtcTime now);
  /// Goes on in `epoch`. Errors: kInvalid if the file's newest epoch is another one.
  Status resume(const std::string& epoch);
  /// Adds to the running time.
  void pass(Millis elapsed) { counters_.run_ms += elapsed.count(); }

  /// All that `body` does, or nothing. Errors: kFull (nothing), kStorage (unknown, see doubt), kCorrupt.
  Status change(const std::function<void()>& body);
  /// After change() failed with kStorage: the first key that it gave out, or 0 if none. Then nobody knows whether the
  /// change is in the file. If the file, opened again, knows that key, it is. With 0 the body can be run again.
  std::int64_t doubt() const { return doubt_; }

  // Within change().
  std::int64_t append(const Draft& draft);
  /// Errors: kFull (not even the reserve has room for it: it is counted as refused).
  Result<Admission> admit(const StoredCommand& command, const std::optional<Draft>& verdict);
  bool mark_started(std::int64_t key) { return commands_.mark_started(key); }
  void complete(std::int64_t key, const Draft& result);
  void put(const std::string& name, const std::string& value) { key_values_.put(name, value); }
  void add_dead_letter(UtcTime at, const std::string& topic, const std::string& why, const std::string& payload);
  void move_sent(Lane lane, std::int64_t key);
  void move_delivered(Lane lane, std::int64_t key);
  void add_catalog(const std::string& hash, const std::string& bytes);
  void count_lost(const LostReadings& lost) { losses_.add(lost); }
  void refuse(const StoredCommand& command) { losses_.add_refused(command.id, command.received); }
  /// Appends the events that tell what was lost and refused; for when there is room.
  void tell_losses(UtcTime now);
  void save() { counters_.unsaved = true; }  ///< the counters, and with them the running time

  /// What peek() of an earlier object on this file holds.
  void hold(const Counters::PerLane& upto) { counters_.held = upto; }

  // Reading; each may find the file damaged.
  /// Appends events that tell the dropped ranges before the rows, so it may write. See Outbox::peek for what it holds.
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

  /// Whether `bytes` more fit below the reserve.
  bool has_room(std::int64_t bytes) { return file_size_.excess_pages(bytes) <= 0; }
  /// Evicts until `bytes` more fit below the reserve. False: they do not, and nothing is left that may go.
  Result<bool> make_room(std::int64_t bytes);
  bool only_reserve_left() const { return only_reserve_left_; }
  /// One piece of housekeeping: WAL, old rows, size of the file. True when there is more to do now.
  Result<bool> tend();
  Millis purge_pitch() const { return retention_.pitch(); }
  /// Moves all of the WAL into the file. Needed after a failed commit: the kernel may take what could not be synced
  /// once for synced ever after, so it is written again. Also needed on a full disk, where the WAL cannot grow.
  Status write_back();
  FileSize& file_size() { return file_size_; }

 private:
  Database(std::unique_ptr<SqliteConnection> connection, const StoreSettings& settings, const RecordFormat& format);
  void load();
  void load_counts();
  void save_counters();
  std::int64_t append_to(RecordTable table, const Draft& draft);
  bool tell_dropped(Lane lane, std::int64_t horizon, UtcTime now);
  RunningEpoch running() const { return {epoch_, counters_.next_key, counters_.last_seq}; }
  template <class T>
  Result<T> judged(T value);

  const RecordFormat& format_;
  const Quota quota_;
  std::unique_ptr<SqliteConnection> connection_;
  RecordTables record_tables_;
  CommandTable commands_;
  DroppedRanges dropped_ranges_;
  Retention retention_;
  EpochTable epochs_;
  CatalogTable catalogs_;
  StoreProperties properties_;
  KeyValueTable key_values_;
  DeadLetterTable dead_letters_;
  PageReader page_reader_;
  CounterTable counter_table_;
  FileSize file_size_;
  ReceiptCoverage receipts_;

  Counters counters_;
  Eviction eviction_;
  CountedLosses losses_;
  std::string epoch_;
  std::int64_t doubt_ = 0;
  std::int64_t saved_ms_ = 0;  // running time when the counters were last written
  std::int64_t next_purge_ms_ = 0;
  bool only_reserve_left_ = false;
};

}  // namespace metergate
