#include "store/sqlite/page_reader.h"

#include "store/sqlite/record_tables.h"

namespace metergate {

namespace {

constexpr std::size_t kRows = 500;
constexpr std::size_t kBytes = 512 << 10;

std::string records_sql(Lane lane) {
  std::string sql;
  for (const RecordTable table : kAllRecordTables) {
    if (lane_of(table) != lane) continue;
    const TableShape shape = table_of(table);
    sql += sql.empty() ? "" : " UNION ALL ";
    sql += "SELECT key,CASE WHEN at_ms BETWEEN ?3 AND ?4 AND " + intact(shape) + " THEN bytes END" + from(shape) +
           "WHERE key>?1";
  }
  return sql + " ORDER BY key LIMIT ?2";
}

std::string ranges_sql(const TableShape& table, bool told) {
  return std::string("SELECT first_key,lane,epoch,from_seq,to_seq,") + (told ? "1" : "0") + from(table) +
         "WHERE first_key>?1";
}

/// Takes rows until the page is full. `make` appends a row, or nothing, and returns its size.
template <class T, class Make>
StorePage<T> page_of(Statement::Rows& rows, Make make) {
  StorePage<T> page;
  std::size_t read = 0, bytes = 0;
  while (read < kRows && bytes < kBytes) {
    if (!rows.next()) {
      page.next = 0;
      return page;
    }
    ++read;
    page.next = rows.number(0);
    bytes += make(page.rows);
  }
  return page;
}

}  // namespace

PageReader::PageReader(SqliteConnection& c)
    : drops_(c, ranges_sql(kUntoldRanges, false) + " UNION ALL " + ranges_sql(kToldRanges, true) +
                    " ORDER BY first_key LIMIT ?2"),
      dead_(c, select(kDeadLetters, "WHERE id>?1 ORDER BY id LIMIT ?2")),
      commands_(c, "SELECT c.key,c.id,c.bus,c.body,c.started,c.answer,c.received_ms,coalesce(r.bytes,x'')" +
                       from(kCommands) + "c LEFT JOIN " + kResultsTable.name +
                       " r ON r.key=c.answer WHERE c.key>?1 ORDER BY c.key LIMIT ?2") {
  for (const Lane lane : kAllLanes) {
    records_[static_cast<std::size_t>(lane)] = std::make_unique<Statement>(c, records_sql(lane));
  }
}

StorePage<DropEntry> PageReader::drops(std::int64_t after) {
  auto rows = drops_.query(after, kRows);
  return page_of<DropEntry>(rows, [&](std::vector<DropEntry>& page) -> std::size_t {
    page.push_back({rows.number(0), static_cast<Lane>(rows.number(1)), rows.text(2), rows.number(3), rows.number(4),
                    rows.number(5) != 0});
    return sizeof(DropEntry);
  });
}

StorePage<DeadEntry> PageReader::dead_letters(std::int64_t after) {
  auto rows = dead_.query(after, kRows);
  return page_of<DeadEntry>(rows, [&](std::vector<DeadEntry>& page) {
    page.push_back({rows.number(0), from_ms(rows.number(1)), rows.text(2), rows.text(3), rows.text(4)});
    // As JSON a byte of the payload may become six.
    return sizeof(DeadEntry) + page.back().topic.size() + page.back().why.size() + 6 * page.back().payload.size();
  });
}

StorePage<CommandEntry> PageReader::commands(std::int64_t after) {
  auto rows = commands_.query(after, kRows);
  return page_of<CommandEntry>(rows, [&](std::vector<CommandEntry>& page) {
    page.push_back({rows.number(0), rows.text(1), rows.text(2), rows.text(3), rows.number(4) != 0, rows.number(5) != 0,
                    from_ms(rows.number(6)), rows.text(7)});
    return sizeof(CommandEntry) + page.back().body.size() + page.back().result.size();
  });
}

StorePage<RecordEntry> PageReader::records(const RecordSpan& span, std::int64_t after) {
  auto rows = records_[static_cast<std::size_t>(span.lane)]->query(after, kRows, to_ms(span.from), to_ms(span.to));
  return page_of<RecordEntry>(rows, [&](std::vector<RecordEntry>& page) -> std::size_t {
    std::string bytes = rows.text(1);
    if (bytes.empty()) return 0;  // of another time, or damaged
    page.push_back({rows.number(0), std::move(bytes)});
    return page.back().bytes.size();
  });
}

}  // namespace metergate
