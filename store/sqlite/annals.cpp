#include "store/sqlite/annals.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr std::int64_t kEpochsKept = 1000;
constexpr std::int64_t kNamesKept = 100000;
const std::string kSelectEpoch = std::string("SELECT ") + kEpochs.columns + " FROM epochs";

}  // namespace

Annals::Annals(SqliteConnection& c)
    : fact_(c, "SELECT value FROM facts WHERE id=?1"),
      set_fact_(c, replace_into(kFacts)),
      forget_(c, "DELETE FROM facts WHERE id>1"),
      newest_epoch_(c, kSelectEpoch + " ORDER BY id DESC LIMIT 1"),
      find_epoch_(c, kSelectEpoch + " WHERE epoch=?1"),
      epoch_from_(c, kSelectEpoch + " WHERE id>=?1 ORDER BY id LIMIT 1"),
      write_epoch_(c, replace_into(kEpochs)),
      trim_epochs_(c, "DELETE FROM epochs WHERE id<=?1"),
      knows_epoch_(c, "SELECT count(*) FROM epochs WHERE epoch=?1"),
      present_catalog_(c, "SELECT hash FROM catalogs ORDER BY from_key DESC LIMIT 1"),
      add_catalog_(c, replace_into(kCatalogs)),
      // The newest 100, and of these those that hold for what is kept.
      trim_catalogs_(c,
                     "DELETE FROM catalogs WHERE from_key<(SELECT max(from_key) FROM catalogs WHERE from_key<=?1) OR "
                     "from_key<=(SELECT from_key FROM catalogs ORDER BY from_key DESC LIMIT 1 OFFSET 100)"),
      catalogs_from_(c,
                     "SELECT hash FROM catalogs WHERE from_key>=coalesce((SELECT max(from_key) FROM catalogs"
                     " WHERE from_key<=?1),0) ORDER BY from_key"),
      catalog_(c, "SELECT bytes FROM catalogs WHERE hash=?1 LIMIT 1"),
      last_(c,
            "SELECT max(coalesce((SELECT max(from_key) FROM catalogs),0),"
            "coalesce((SELECT max(from_key) FROM epochs),0))") {}

std::optional<std::string> Annals::property(Property property, int lane) {
  auto rows = fact_.query(static_cast<int>(property) + lane);
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

void Annals::set_property(Property property, const std::string& value, int lane) {
  set_fact_.run(static_cast<int>(property) + lane, value);
}

void Annals::forget_replacement() { forget_.run(); }

std::optional<Annals::Epoch> Annals::read(Statement::Rows& rows) {
  if (!rows.next()) return std::nullopt;
  return Epoch{
      rows.number(0), rows.text(1), rows.number(2), rows.number(3), {rows.number(4), rows.number(5), rows.number(6)}};
}

std::optional<Annals::Epoch> Annals::newest_epoch() {
  auto rows = newest_epoch_.query();
  return read(rows);
}

std::optional<Annals::Epoch> Annals::find_epoch(const std::string& epoch) {
  auto rows = find_epoch_.query(epoch);
  return read(rows);
}

std::optional<Annals::Epoch> Annals::epoch_from(std::int64_t id) {
  auto rows = epoch_from_.query(id);
  return read(rows);
}

void Annals::write_epoch(const Epoch& e) {
  write_epoch_.run(e.id, e.epoch, e.from_key, e.started_ms, e.last[0], e.last[1], e.last[2]);
  trim_epochs_.run(e.id - kEpochsKept);
}

bool Annals::knows_epoch(const std::string& epoch) { return knows_epoch_.number_or(0, epoch) != 0; }

bool Annals::add_catalog(std::int64_t from_key, const std::string& hash, const std::string& bytes,
                         std::int64_t first_kept) {
  {
    auto rows = present_catalog_.query();
    if (rows.next() && rows.text(0) == hash) return false;
  }
  add_catalog_.run(from_key, hash, Blob{bytes});
  trim_catalogs_.run(first_kept);
  return true;
}

std::vector<std::string> Annals::catalogs_from(std::int64_t from_key) {
  std::vector<std::string> hashes;
  auto rows = catalogs_from_.query(from_key);
  while (rows.next()) {
    // One that came back is told once, at its last place.
    hashes.erase(std::remove(hashes.begin(), hashes.end(), rows.text(0)), hashes.end());
    hashes.push_back(rows.text(0));
  }
  return hashes;
}

std::optional<std::string> Annals::catalog(const std::string& hash) {
  auto rows = catalog_.query(hash);
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

std::int64_t Annals::last_key() { return last_.number_or(0); }

Notebook::Notebook(SqliteConnection& c)
    : recall_(c, "SELECT value FROM learned WHERE name=?1"),
      id_of_(c, "SELECT id FROM learned WHERE name=?1"),
      trim_(c, "DELETE FROM learned WHERE id<=?1"),
      last_id_(c, "SELECT id FROM learned ORDER BY id DESC LIMIT 1"),
      write_(c, replace_into(kLearned)),
      bury_(c, replace_into(kDead)),
      remove_dead_(c, "DELETE FROM dead WHERE id<?1"),
      first_dead_(c, "SELECT id FROM dead ORDER BY id LIMIT 1"),
      last_dead_(c, "SELECT id FROM dead ORDER BY id DESC LIMIT 1") {}

std::optional<std::string> Notebook::get(const std::string& name) {
  auto rows = recall_.query(name);
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

void Notebook::put(const std::string& name, const std::string& value) {
  if (get(name) == value) return;
  std::int64_t id = id_of_.number_or(0, name);
  if (id == 0) {
    id = last_id_.number_or(0) + 1;
    trim_.run(id - kNamesKept);
  }
  write_.run(id, name, Blob{value});
}

void Notebook::add_dead_letter(std::int64_t id, UtcTime at, const std::string& topic, const std::string& why,
                               const std::string& payload) {
  bury_.run(id, to_ms(at), topic, why, Blob{payload});
}

void Notebook::remove_dead(std::int64_t below_id) { remove_dead_.run(below_id); }
std::int64_t Notebook::first_dead() { return first_dead_.number_or(0); }
std::int64_t Notebook::last_dead() { return last_dead_.number_or(0); }

}  // namespace metergate
