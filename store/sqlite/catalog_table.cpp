#include "store/sqlite/catalog_table.h"

#include <algorithm>

namespace metergate {

CatalogTable::CatalogTable(SqliteConnection& c)
    : present_(c, "SELECT hash" + from(kCatalogs) + "ORDER BY from_key DESC LIMIT 1"),
      add_(c, replace_into(kCatalogs)),
      // The one that holds at ?1 and those behind it, and of these the newest 100.
      trim_(c, delete_from(kCatalogs, "from_key<(SELECT max(from_key)" + from(kCatalogs) +
                                          "WHERE from_key<=?1) OR from_key<=(SELECT from_key" + from(kCatalogs) +
                                          "ORDER BY from_key DESC LIMIT 1 OFFSET 100)")),
      hashes_from_(c, "SELECT hash" + from(kCatalogs) + "WHERE from_key>=coalesce((SELECT max(from_key)" +
                          from(kCatalogs) + "WHERE from_key<=?1),0) ORDER BY from_key"),
      find_(c, "SELECT bytes" + from(kCatalogs) + "WHERE hash=?1 LIMIT 1"),
      last_key_(c, "SELECT max(from_key)" + from(kCatalogs)) {}

bool CatalogTable::add(std::int64_t from_key, const std::string& hash, const std::string& bytes,
                       std::int64_t first_kept) {
  {
    auto rows = present_.query();
    if (rows.next() && rows.text(0) == hash) return false;
  }
  add_.run(from_key, hash, Blob{bytes});
  trim_.run(first_kept);
  return true;
}

std::vector<std::string> CatalogTable::hashes_from(std::int64_t from_key) {
  std::vector<std::string> hashes;
  auto rows = hashes_from_.query(from_key);
  while (rows.next()) {
    // A catalog that held twice stands where it came last.
    hashes.erase(std::remove(hashes.begin(), hashes.end(), rows.text(0)), hashes.end());
    hashes.push_back(rows.text(0));
  }
  return hashes;
}

std::optional<std::string> CatalogTable::find(const std::string& hash) {
  auto rows = find_.query(hash);
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

std::int64_t CatalogTable::last_key() { return last_key_.number_or(0); }

}  // namespace metergate
