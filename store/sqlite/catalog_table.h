#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/schema.h"

namespace metergate {

/// The catalogs that kept records were taken under, at most 100. Errors stick to the connection.
class CatalogTable {
 public:
  explicit CatalogTable(SqliteConnection& connection);

  /// It holds for records from `from_key` on. False, and nothing is changed, if it is the present one already. Deletes
  /// those that hold only for records before `first_kept`.
  bool add(std::int64_t from_key, const std::string& hash, const std::string& bytes, std::int64_t first_kept);
  /// Hashes of those that hold for records from `from_key` on, oldest first, the present one last. Each hash once.
  std::vector<std::string> hashes_from(std::int64_t from_key);
  std::optional<std::string> find(const std::string& hash);
  std::int64_t last_key();  ///< the highest key that any of them names, 0 if none

 private:
  Statement present_, add_, trim_, hashes_from_, find_, last_key_;
};

}  // namespace metergate
