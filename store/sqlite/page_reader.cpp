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
    sql += "SELECT key,CASE WHEN at_ms BETWEEN ?3 AND ?4 AND " + intact(shape) + " THEN bytes END FROM " + shape.name +
           " WHERE key>?1";
  }
  return sql + " ORDER BY key LIMIT ?2";
}

/// Takes rows until the page is full. `make` appends a row, or nothing, and returns its size.
template <class T, class Make>
StorePage<T> page_of(Statement::Rows& rows, Make make) {
  StorePage<T> page;
  std::size_t looked_at = 0, bytes = 0;
  while (looked_at < kRows && bytes < kBytes) {
    if (!rows.next()) {
      page.next = 0;
      return page;
    }
    ++looked_at;
    page.next = rows.number(0);
    bytes += make(page.rows);
  }
  return page;
}

}  // namespace

PageReader::PageReader(SqliteConnection& c)
    : drops_(c,
             "SELECT first_key,lane,epoch,from_seq,to_seq,0 FROM gaps WHERE first_key>?1 UNION ALL "
             "SELECT first_key,lane,epoch,from_seq,to_seq,1 FROM drops WHERE first_key>?1 ORDER BY first_key LIMIT ?2"),
      dead_(c, "SELECT id,at_ms,topic,why,payload FROM dead WHERE id>?1 ORDER BY id LIMIT ?2"),
      commands_(c,
                "SELECT c.key,c.id,c.bus,c.body,c.started,c.answer,c.received_ms,coalesce(r.bytes,x'') FROM commands c "
                "LEFT JOIN results r ON r.key=c.answer WHERE c.key>?1 ORDER BY c.key LIMIT ?2") {
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
