#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// The tables of records (see schema.h), in the order in which undelivered records are evicted; those of the last two
/// never are.
enum class RecordTable { kReadingsLow, kReadingsHigh, kEvents, kNotices, kResults };
constexpr int kRecordTables = 5;
constexpr std::array<RecordTable, kRecordTables> kAllRecordTables{RecordTable::kReadingsLow, RecordTable::kReadingsHigh,
                                                                  RecordTable::kEvents, RecordTable::kNotices,
                                                                  RecordTable::kResults};
Lane lane_of(RecordTable table);
TableShape table_of(RecordTable table);

/// A record's row before it is written.
struct NewRow {
  std::int64_t key;
  std::string epoch;
  std::int64_t seq;
  std::int64_t at_ms;
  std::string meter;
  std::string bytes;
};

/// A row that may be deleted.
struct Victim {
  std::int64_t key;
  std::string epoch;
  std::int64_t seq;
  std::int64_t bytes;
};

/// The records' tables. Bounds are `after` < key <= `upto`. Errors stick to the connection.
class RecordTables {
 public:
  explicit RecordTables(SqliteConnection& connection);

  void insert(RecordTable table, const NewRow& row);
  /// Rows of a lane in the order of their keys, at most `max_rows` and about `max_bytes` (at least one).
  std::vector<Row> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes);
  std::optional<Row> find(std::int64_t key);
  struct Filter {
    std::int64_t from_ms, to_ms;
    std::string meter;  ///< empty: of all
  };
  struct Scanned {
    std::int64_t key, seq, at_ms;
    bool fits;
    std::string bytes;  ///< of one that fits
  };
  /// All rows of a lane in the order of their keys, until `take` returns false.
  void scan(Lane lane, std::int64_t after, std::int64_t upto, const Filter& filter,
            const std::function<bool(Scanned&)>& take);

  std::int64_t last_key();
  std::optional<Victim> newest(Lane lane);
  std::int64_t count(Lane lane, std::int64_t after, std::int64_t upto);
  std::int64_t bytes(RecordTable table, std::int64_t after, std::int64_t upto);
  /// `at` of the first record behind `after`, 0 if none.
  std::int64_t oldest_ms(Lane lane, std::int64_t after);
  /// `at` of the last rows, the latest of them; 0 if there are none.
  std::int64_t newest_ms();

  /// Key of the first row behind `after`, 0 if none.
  std::int64_t first_key(RecordTable table, std::int64_t after);
  std::int64_t first_key(Lane lane, std::int64_t after);
  /// Of an epoch's keys, `first` to `last`, that of its last row whose number is not above `seq`; 0 if there is none.
  std::int64_t key_upto(Lane lane, std::int64_t first, std::int64_t last, std::int64_t seq);
  /// The oldest rows, until they make up `bytes`.
  std::vector<Victim> oldest(RecordTable table, std::int64_t after, std::int64_t upto, std::int64_t max_rows,
                             std::int64_t bytes);
  void remove(RecordTable table, std::int64_t first, std::int64_t last);

 private:
  struct Statements {
    Statements(SqliteConnection& connection, RecordTable table);
    Statement insert, find, last, count, bytes, oldest_ms, newest_ms, first_key, first_within, oldest, remove;
  };
  std::int64_t key_upto(RecordTable table, std::int64_t first, std::int64_t last, std::int64_t seq);
  Statements& on(RecordTable table) { return *statements_[static_cast<std::size_t>(table)]; }
  static Row row_of(const Statement::Rows& rows, Lane lane);
  /// False, and kCorrupt, when the row is not as it was written.
  bool intact_row(const Statement::Rows& rows);

  SqliteConnection& connection_;
  std::array<std::unique_ptr<Statements>, kRecordTables> statements_;
  std::array<std::unique_ptr<Statement>, kLanes> peek_, scan_;
};

}  // namespace metergate
