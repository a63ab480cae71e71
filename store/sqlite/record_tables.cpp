#include "store/sqlite/record_tables.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr std::int64_t kRowOverhead = 60;  // key, epoch, number, time, meter, sum and the cell around them

std::vector<RecordTable> tables_of(Lane lane) {
  switch (lane) {
    case Lane::kReadings:
      return {RecordTable::kReadingsLow, RecordTable::kReadingsHigh};
    case Lane::kEvents:
      return {RecordTable::kEvents, RecordTable::kNotices};
    case Lane::kResults:
      break;
  }
  return {RecordTable::kResults};
}

std::string peek_sql(Lane lane) {
  std::string sql;
  for (const RecordTable table : tables_of(lane)) {
    const TableShape shape = table_of(table);
    sql += sql.empty() ? "" : " UNION ALL ";
    sql += "SELECT key,epoch,seq,bytes," + intact(shape) + from(shape) + "WHERE key>?1";
  }
  return sql + " ORDER BY key LIMIT ?2";  // a merge of two ordered scans, nothing is sorted
}

std::string scan_sql(Lane lane) {
  const std::string fits = "at_ms>=?3 AND at_ms<=?4 AND (?5='' OR meter=?5)";
  std::string sql;
  for (const RecordTable table : tables_of(lane)) {
    const TableShape shape = table_of(table);
    if (!sql.empty()) sql += " UNION ALL ";
    sql.append("SELECT key,seq,at_ms,").append(fits);
    sql.append(",CASE WHEN ").append(fits).append(" THEN ").append(intact(shape)).append(" ELSE 1 END");
    sql.append(",CASE WHEN ").append(fits).append(" THEN bytes ELSE x'' END");
    sql.append(from(shape)).append("WHERE key>?1 AND key<=?2");
  }
  return sql + " ORDER BY key";
}

std::string from(RecordTable table) { return from(table_of(table)); }

}  // namespace

Lane lane_of(RecordTable table) {
  switch (table) {
    case RecordTable::kReadingsLow:
    case RecordTable::kReadingsHigh:
      return Lane::kReadings;
    case RecordTable::kEvents:
    case RecordTable::kNotices:
      return Lane::kEvents;
    case RecordTable::kResults:
      break;
  }
  return Lane::kResults;
}

TableShape table_of(RecordTable table) {
  switch (table) {
    case RecordTable::kReadingsLow:
      return kReadingsLowTable;
    case RecordTable::kReadingsHigh:
      return kReadingsHighTable;
    case RecordTable::kEvents:
      return kEventsTable;
    case RecordTable::kNotices:
      return kNoticesTable;
    case RecordTable::kResults:
      break;
  }
  return kResultsTable;
}

RecordTables::Statements::Statements(SqliteConnection& c, RecordTable table)
    : insert(c, insert_into(table_of(table))),
      find(c, "SELECT key,epoch,seq,bytes," + intact(table_of(table)) + from(table) + "WHERE key=?1"),
      last(c, "SELECT key,epoch,seq,0" + from(table) + "ORDER BY key DESC LIMIT 1"),
      count(c, "SELECT count(*)" + from(table) + "WHERE key>?1 AND key<=?2"),
      bytes(c, "SELECT coalesce(sum(length(bytes)+" + std::to_string(kRowOverhead) + "),0)" + from(table) +
                   "WHERE key>?1 AND key<=?2"),
      oldest_ms(c, "SELECT at_ms" + from(table) + "WHERE key>?1 ORDER BY key LIMIT 1"),
      newest_ms(c, "SELECT at_ms" + from(table) + "ORDER BY key DESC LIMIT 1"),
      first_key(c, "SELECT key" + from(table) + "WHERE key>?1 ORDER BY key LIMIT 1"),
      first_within(c, "SELECT key,seq" + from(table) + "WHERE key>=?1 AND key<=?2 ORDER BY key LIMIT 1"),
      oldest(c, "SELECT key,epoch,seq,length(bytes)" + from(table) + "WHERE key>?1 AND key<=?2 ORDER BY key LIMIT ?3"),
      remove(c, "DELETE" + from(table) + "WHERE key>=?1 AND key<=?2") {}

RecordTables::RecordTables(SqliteConnection& connection) : connection_(connection) {
  for (const RecordTable table : kAllRecordTables) {
    statements_[static_cast<std::size_t>(table)] = std::make_unique<Statements>(connection, table);
  }
  for (const Lane lane : kAllLanes) {
    peek_[static_cast<std::size_t>(lane)] = std::make_unique<Statement>(connection, peek_sql(lane));
    scan_[static_cast<std::size_t>(lane)] = std::make_unique<Statement>(connection, scan_sql(lane));
  }
}

void RecordTables::insert(RecordTable table, const NewRow& row) {
  on(table).insert.run(row.key, row.epoch, row.seq, row.at_ms, row.meter, Blob{row.bytes});
}

Row RecordTables::row_of(const Statement::Rows& rows, Lane lane) {
  return Row{rows.number(0), lane, rows.text(1), rows.number(2), rows.text(3)};
}

bool RecordTables::intact_row(const Statement::Rows& rows) {
  if (rows.number(4) != 0) return true;
  connection_.fail(Errc::kCorrupt,
                   "record with key " + std::to_string(rows.number(0)) + " does not match its checksum");
  return false;
}

std::vector<Row> RecordTables::peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes) {
  std::vector<Row> found;
  std::size_t bytes = 0;
  auto rows = peek_[static_cast<std::size_t>(lane)]->query(after, max_rows);
  while (rows.next() && intact_row(rows)) {
    Row row = row_of(rows, lane);
    bytes += row.bytes.size();
    if (!found.empty() && bytes > max_bytes) break;
    found.push_back(std::move(row));
  }
  return found;
}

void RecordTables::scan(Lane lane, std::int64_t after, std::int64_t upto, const Filter& filter,
                        const std::function<bool(Scanned&)>& take) {
  auto rows = scan_[static_cast<std::size_t>(lane)]->query(after, upto, filter.from_ms, filter.to_ms, filter.meter);
  while (rows.next() && intact_row(rows)) {
    Scanned row{rows.number(0), rows.number(1), rows.number(2), rows.number(3) != 0, rows.text(5)};
    if (!take(row)) return;
  }
}

std::optional<Row> RecordTables::find(std::int64_t key) {
  for (const RecordTable table : kAllRecordTables) {
    auto rows = on(table).find.query(key);
    if (rows.next() && intact_row(rows)) return row_of(rows, lane_of(table));
  }
  return std::nullopt;
}

std::int64_t RecordTables::last_key() {
  std::int64_t last = 0;
  for (const RecordTable table : kAllRecordTables) last = std::max(last, on(table).last.number_or(0));
  return last;
}

std::optional<Victim> RecordTables::newest(Lane lane) {
  std::optional<Victim> newest;
  for (const RecordTable table : tables_of(lane)) {
    auto rows = on(table).last.query();
    if (!rows.next() || (newest && newest->key > rows.number(0))) continue;
    newest = Victim{rows.number(0), rows.text(1), rows.number(2), 0};
  }
  return newest;
}

std::int64_t RecordTables::count(Lane lane, std::int64_t after, std::int64_t upto) {
  std::int64_t count = 0;
  for (const RecordTable table : tables_of(lane)) count += on(table).count.number_or(0, after, upto);
  return count;
}

std::int64_t RecordTables::bytes(RecordTable table, std::int64_t after, std::int64_t upto) {
  return on(table).bytes.number_or(0, after, upto);
}

std::int64_t RecordTables::oldest_ms(Lane lane, std::int64_t after) {
  std::int64_t oldest = 0;
  for (const RecordTable table : tables_of(lane)) {
    const std::int64_t at = on(table).oldest_ms.number_or(0, after);
    if (at != 0 && (oldest == 0 || at < oldest)) oldest = at;
  }
  return oldest;
}

std::int64_t RecordTables::newest_ms() {
  std::int64_t newest = 0;
  for (const RecordTable table : kAllRecordTables) newest = std::max(newest, on(table).newest_ms.number_or(0));
  return newest;
}

std::int64_t RecordTables::first_key(RecordTable table, std::int64_t after) {
  return on(table).first_key.number_or(0, after);
}

std::int64_t RecordTables::first_key(Lane lane, std::int64_t after) {
  std::int64_t first = 0;
  for (const RecordTable table : tables_of(lane)) {
    const std::int64_t key = first_key(table, after);
    if (key != 0 && (first == 0 || key < first)) first = key;
  }
  return first;
}

std::int64_t RecordTables::key_upto(Lane lane, std::int64_t first, std::int64_t last, std::int64_t seq) {
  std::int64_t key = 0;
  for (const RecordTable table : tables_of(lane)) key = std::max(key, key_upto(table, first, last, seq));
  return key;
}

/// Within an epoch keys and numbers grow together: halving finds the place without an index on the numbers.
std::int64_t RecordTables::key_upto(RecordTable table, std::int64_t first, std::int64_t last, std::int64_t seq) {
  std::int64_t found = 0;
  while (first <= last) {
    const std::int64_t middle = first + (last - first) / 2;
    auto rows = on(table).first_within.query(middle, last);
    if (rows.next() && rows.number(1) <= seq) {
      found = rows.number(0);
      first = found + 1;
    } else {
      last = middle - 1;
    }
  }
  return found;
}

std::vector<Victim> RecordTables::oldest(RecordTable table, std::int64_t after, std::int64_t upto,
                                         std::int64_t max_rows, std::int64_t bytes) {
  std::vector<Victim> victims;
  auto rows = on(table).oldest.query(after, upto, max_rows);
  while (bytes > 0 && rows.next()) {
    victims.push_back(Victim{rows.number(0), rows.text(1), rows.number(2), rows.number(3) + kRowOverhead});
    bytes -= victims.back().bytes;
  }
  return victims;
}

void RecordTables::remove(RecordTable table, std::int64_t first, std::int64_t last) {
  on(table).remove.run(first, last);
}

}  // namespace metergate
