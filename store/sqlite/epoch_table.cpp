#include "store/sqlite/epoch_table.h"

namespace metergate {

namespace {

constexpr std::int64_t kKept = 1000;

}  // namespace

EpochTable::EpochTable(SqliteConnection& c)
    : newest_(c, select(kEpochs, "ORDER BY id DESC LIMIT 1")),
      find_(c, select(kEpochs, "WHERE epoch=?1")),
      first_from_(c, select(kEpochs, "WHERE id>=?1 ORDER BY id LIMIT 1")),
      write_(c, replace_into(kEpochs)),
      trim_(c, delete_from(kEpochs, "id<=?1")),
      last_key_(c, "SELECT max(from_key)" + from(kEpochs)) {}

std::optional<Epoch> EpochTable::read(Statement::Rows& rows) {
  if (!rows.next()) return std::nullopt;
  return Epoch{
      rows.number(0), rows.text(1), rows.number(2), rows.number(3), {rows.number(4), rows.number(5), rows.number(6)}};
}

std::optional<Epoch> EpochTable::newest() {
  auto rows = newest_.query();
  return read(rows);
}

std::optional<Epoch> EpochTable::find(const std::string& epoch) {
  auto rows = find_.query(epoch);
  return read(rows);
}

std::optional<Epoch> EpochTable::first_from(std::int64_t id) {
  auto rows = first_from_.query(id);
  return read(rows);
}

void EpochTable::write(const Epoch& e) {
  write_.run(e.id, e.epoch, e.from_key, e.started_ms, e.last[0], e.last[1], e.last[2]);
  trim_.run(e.id - kKept);
}

std::int64_t EpochTable::last_key() { return last_key_.number_or(0); }

}  // namespace metergate
