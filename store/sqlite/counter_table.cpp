#include "store/sqlite/counter_table.h"

namespace metergate {

CounterTable::CounterTable(SqliteConnection& c)
    : connection_(c),
      read_(c, "SELECT value," + intact(kCounters) + from(kCounters) + "WHERE id=?1"),
      write_(c, replace_into(kCounters)) {}

void CounterTable::read(Counters& counters) {
  counters.each_counter([&](int id, std::int64_t& value) {
    auto rows = read_.query(id);
    if (!rows.next()) return;
    value = rows.number(0);
    if (rows.number(1) == 0) connection_.fail(Errc::kCorrupt, "a counter does not match its checksum");
  });
}

void CounterTable::write(Counters& counters) {
  counters.each_counter([&](int id, std::int64_t& value) { write_.run(id, value); });
}

}  // namespace metergate
