#include <filesystem>
#include <limits>

#include "store/sqlite/counter_table.h"
#include "store/sqlite/key_value_table.h"
#include "store/sqlite/page_reader.h"
#include "store/sqlite/process_lock.h"
#include "store/sqlite/record_tables.h"
#include "store/store_view.h"

namespace metergate {

namespace {

class StoreFileImpl final : public StoreFile {
 public:
  StoreFileImpl(ProcessLock lock, std::unique_ptr<SqliteConnection> connection)
      : lock_(std::move(lock)),
        connection_(std::move(connection)),
        page_reader_(*connection_),
        record_tables_(*connection_),
        counter_table_(*connection_),
        key_value_table_(*connection_) {}

  Result<StorePage<DropEntry>> drops(std::int64_t after) override { return judged(page_reader_.drops(after)); }
  Result<StorePage<DeadEntry>> dead_letters(std::int64_t after) override {
    return judged(page_reader_.dead_letters(after));
  }
  Result<StorePage<CommandEntry>> commands(std::int64_t after) override { return judged(page_reader_.commands(after)); }
  Result<StorePage<RecordEntry>> records(const RecordSpan& span, std::int64_t after) override {
    return judged(page_reader_.records(span, after));
  }

  Result<std::array<LaneState, kLanes>> lanes() override {
    Counters counters;
    counter_table_.read(counters);
    std::array<LaneState, kLanes> lanes;
    for (const Lane lane : kAllLanes) {
      const std::int64_t delivered = counters.delivered[index_of(lane)];
      LaneState& state = lanes[index_of(lane)];
      state.waiting = record_tables_.count(lane, delivered, std::numeric_limits<std::int64_t>::max());
      state.oldest_ms = record_tables_.oldest_ms(lane, delivered);
      state.last_seq = counters.last_seq[index_of(lane)];
    }
    return judged(lanes);
  }

  Result<LossCounts> losses() override {
    Counters counters;
    counter_table_.read(counters);
    return judged(LossCounts{counters.lost.count, counters.refused.count});
  }

  Result<std::optional<std::string>> value(const std::string& key) override {
    return judged(key_value_table_.get(key));
  }

 private:
  template <class T>
  Result<T> judged(T value) {
    if (!connection_->ok()) return connection_->status().error();
    return Result<T>(std::move(value));
  }

  ProcessLock lock_;
  std::unique_ptr<SqliteConnection> connection_;
  PageReader page_reader_;
  RecordTables record_tables_;
  CounterTable counter_table_;
  KeyValueTable key_value_table_;
};

}  // namespace

Result<std::unique_ptr<StoreFile>> StoreFile::open(const StoreSettings& settings) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(settings.path, error)) {
    return Error{Errc::kNotFound, "store " + settings.path + ": there is no such file"};
  }
  auto lock = ProcessLock::take(settings.path);
  if (!lock) return lock.error();
  auto connection = std::make_unique<SqliteConnection>(settings.path, settings.vfs, SqliteConnection::Mode::kExisting);
  connection->run("PRAGMA locking_mode=EXCLUSIVE");  // before the first access: the WAL's index stays in memory
  if (Status ours = check_format(*connection); !ours) return ours.error();
  connection->leave_wal_alone(true);
  auto file = std::make_unique<StoreFileImpl>(std::move(*lock), std::move(connection));
  if (const auto readable = file->drops(0); !readable) return readable.error();
  return std::unique_ptr<StoreFile>(std::move(file));
}

}  // namespace metergate
