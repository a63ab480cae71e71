#include "store/sqlite/repair.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <vector>

#include "store/sqlite/counters.h"
#include "store/sqlite/record_tables.h"

namespace metergate {

namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kRowsAtOnce = 100;
constexpr int kCheckpointPages = 250;
constexpr std::size_t kPageBytes = 4096;

/// One table's rows, read in the order of their keys around what cannot be read.
class TableCopy {
 public:
  TableCopy(SqliteConnection& connection, const TableShape& table, const std::function<void()>& busy)
      : connection_(connection),
        busy_(busy),
        key_(std::string(table.columns).substr(0, std::string(table.columns).find(','))),
        ahead_(connection, "SELECT count(*),max(CASE WHEN fit THEN k END) FROM (SELECT " + key_ + " AS k," +
                               intact(table) + " AS fit FROM old." + table.name + " WHERE " + key_ + ">?1 AND " + key_ +
                               "<=?2 ORDER BY " + key_ + " LIMIT ?3)"),
        copy_(connection, std::string("INSERT OR IGNORE INTO main.") + table.name + "(" + table.columns +
                              ",sum) SELECT " + table.columns + ",sum FROM old." + table.name + " WHERE " + key_ +
                              ">?1 AND " + key_ + "<=?2 AND " + intact(table)) {}

  /// Copies `after` < key <= `upto`. False when the new file is full.
  bool run(std::int64_t after, std::int64_t upto) {
    std::int64_t at_once = kRowsAtOnce;
    while (after < upto) {
      busy_();
      const Ahead ahead = probe(after, upto, at_once);
      if (ahead.readable && ahead.rows == 0) return true;
      if (ahead.readable && ahead.last > after) {
        copy_.run(after, ahead.last);
        if (connection_.failed_as(Errc::kFull)) return false;
        if (connection_.ok()) {
          rows_ += connection_.changes();
          after = ahead.last;
          at_once = kRowsAtOnce;
          if (connection_.wal_pages() >= kCheckpointPages) connection_.checkpoint();
          continue;
        }
        connection_.rollback();
      }
      whole_ = false;
      if (at_once > 1) {
        at_once /= 2;
      } else {
        after = behind_damage(after, upto);
      }
    }
    return true;
  }
  std::int64_t rows() const { return rows_; }
  bool whole() const { return whole_; }

 private:
  struct Ahead {
    bool readable;
    std::int64_t rows;
    std::int64_t last;  ///< key of the last row that is as it was written
  };

  Ahead probe(std::int64_t after, std::int64_t upto, std::int64_t rows) {
    auto found = ahead_.query(after, upto, rows);
    const bool row = found.next();
    if (!connection_.ok()) connection_.rollback();
    return row ? Ahead{true, found.number(0), found.number(1)} : Ahead{false, 0, 0};
  }
  bool blocked(std::int64_t after, std::int64_t upto) {
    const Ahead ahead = probe(after, upto, 1);
    return !ahead.readable || (ahead.rows > 0 && ahead.last <= after);
  }
  /// The nearest known place behind which reading goes on: doubling steps past the damage, then halving back to its
  /// end.
  std::int64_t behind_damage(std::int64_t after, std::int64_t upto) {
    std::int64_t bad = after;
    std::int64_t good = kEnd;
    for (std::int64_t step = 1; step < (kEnd - after) / 2; step *= 2) {
      good = after + step;
      if (!blocked(good, upto)) break;
      bad = good;
      good = kEnd;
    }
    while (good != kEnd && good - bad > 1) {
      const std::int64_t middle = bad + (good - bad) / 2;
      (blocked(middle, upto) ? bad : good) = middle;
    }
    return good;
  }

  SqliteConnection& connection_;
  const std::function<void()>& busy_;
  std::string key_;
  Statement ahead_, copy_;
  std::int64_t rows_ = 0;
  bool whole_ = true;
};

bool attach(SqliteConnection& connection, const std::string& path) {
  Statement(connection, "ATTACH ?1 AS old").run(connection.uri_of(path));
  connection.number(std::string("SELECT count(*) FROM old.") + kCounters.name);
  return connection.ok();
}

void detach(SqliteConnection& connection) {
  connection.rollback();
  connection.run("DETACH old");
  connection.forget_error();
}

/// Step 1 in the header.
bool write_first_page(SqliteConnection& from, const std::string& path) {
  std::error_code error;
  const auto pages = static_cast<std::uint32_t>(std::filesystem::file_size(path, error) / kPageBytes);
  sqlite3_int64 size = 0;
  unsigned char* copy = sqlite3_serialize(from.handle(), "main", &size, 0);
  if (copy == nullptr || error || pages == 0) {
    sqlite3_free(copy);
    return false;
  }
  std::vector<char> page(copy, copy + kPageBytes);
  sqlite3_free(copy);
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) page[at + i] = static_cast<char>(value >> (24 - 8 * i));
  };
  put(24, 1);      // https://www.sqlite.org/fileformat2.html, 1.3: change counter,
  put(92, 1);      // equal to it: the size is valid
  put(28, pages);  // size in pages
  put(32, 0);      // no free pages known
  put(36, 0);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.write(page.data(), static_cast<std::streamsize>(page.size()));
  file.close();
  return !file.fail();
}

std::string counter_sql(int id) {
  return "coalesce((SELECT value" + from(kCounters) + "WHERE id=" + std::to_string(id) + "),0)";
}

Repaired copy_all(SqliteConnection& into, const std::function<void()>& busy) {
  Repaired repaired;
  bool room = true;
  bool whole = true;
  for (const TableShape& table :
       {kCounters, kEpochs, kCommands, kKeyValues, kCatalogs, kUntoldRanges, kToldRanges, kMarks}) {
    TableCopy copy(into, table, busy);
    room = room && copy.run(-1, kEnd);
    whole = whole && copy.whole();
    if (std::string(table.name) == kCommands.name) repaired.commands = room && copy.whole();
  }
  for (const bool delivered : {false, true}) {
    for (auto table = kAllRecordTables.rbegin(); table != kAllRecordTables.rend(); ++table) {
      const Lane lane = lane_of(*table);
      const std::int64_t cursor = into.number("SELECT " + counter_sql(Counters::kDelivered + static_cast<int>(lane)));
      TableCopy copy(into, table_of(*table), busy);
      room = room && copy.run(delivered ? -1 : cursor, delivered ? cursor : kEnd);
      repaired.records[static_cast<std::size_t>(lane)] += copy.rows();
      if (lane == Lane::kResults && !(room && copy.whole())) repaired.commands = false;
    }
  }
  if (room) TableCopy(into, kDeadLetters, busy).run(-1, kEnd);
  return repaired;
}

}  // namespace

Result<Repaired> repair(const std::string& path, const StoreSettings& settings, SqliteConnection& into, Log& log) {
  into.leave_wal_alone(true);
  // A file that is shorter than it says is read as far as it goes.
  into.run("PRAGMA synchronous=OFF; PRAGMA writable_schema=ON");
  if (!into.ok()) return into.status().error();
  bool readable = attach(into, path);
  if (!readable) {
    detach(into);
    readable = write_first_page(into, path) && attach(into, path);
  }
  Repaired repaired;
  Error refused{Errc::kInvalid, ""};
  if (readable) {
    const std::string owner = into.text(std::string("SELECT value FROM old.") + kProperties.name + " WHERE id=" +
                                        std::to_string(kGatewayProperty) + " AND " + intact(kProperties));
    if (into.ok() && !owner.empty() && owner != settings.gateway) {
      refused.detail = "store " + path + ": it is damaged, and belongs to gateway '" + owner + "', not to '" +
                       settings.gateway + "'";
    } else {
      into.forget_error();
      repaired = copy_all(into, settings.busy);
    }
  }
  detach(into);
  if (!refused.detail.empty()) return refused;
  into.leave_wal_alone(false);
  into.run("PRAGMA writable_schema=OFF; PRAGMA synchronous=FULL");
  // Step 5 in the header.
  into.run(delete_from(
      kCounters, "id IN (" + std::to_string(Counters::kCountedTo) + "," + std::to_string(Counters::kKnownCommands) +
                     "," + std::to_string(Counters::kKeptBytes) + ") OR id BETWEEN " +
                     std::to_string(Counters::kWaiting) + " AND " + std::to_string(Counters::kLastSeq + kLanes - 1)));
  const std::int64_t floor = into.number("SELECT max(" + counter_sql(Counters::kKeyFloor) +
                                         ",coalesce((SELECT max(answer)" + from(kCommands) + "),0))");
  Statement(into, replace_into(kCounters)).run(static_cast<int>(Counters::kKeyFloor), floor);
  log.warn("store repaired", {{"from", path},
                              {"readings", std::to_string(repaired.records[0])},
                              {"results", std::to_string(repaired.records[1])},
                              {"events", std::to_string(repaired.records[2])},
                              {"commands", repaired.commands ? "saved" : "lost"}});
  if (!into.ok()) return into.status().error();
  return repaired;
}

}  // namespace metergate
