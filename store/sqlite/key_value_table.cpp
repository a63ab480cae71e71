#include "store/sqlite/key_value_table.h"

namespace metergate {

namespace {

constexpr std::int64_t kNames = 100000;

}  // namespace

KeyValueTable::KeyValueTable(SqliteConnection& c)
    : get_(c, "SELECT value" + from(kKeyValues) + "WHERE name=?1"),
      id_of_(c, "SELECT id" + from(kKeyValues) + "WHERE name=?1"),
      trim_(c, delete_from(kKeyValues, "id<=?1")),
      last_id_(c, "SELECT id" + from(kKeyValues) + "ORDER BY id DESC LIMIT 1"),
      put_(c, replace_into(kKeyValues)) {}

std::optional<std::string> KeyValueTable::get(const std::string& name) {
  auto rows = get_.query(name);
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

void KeyValueTable::put(const std::string& name, const std::string& value) {
  if (get(name) == value) return;
  std::int64_t id = id_of_.number_or(0, name);
  if (id == 0) {
    id = last_id_.number_or(0) + 1;
    trim_.run(id - kNames);
  }
  put_.run(id, name, Blob{value});
}

}  // namespace metergate
