#pragma once

#include <optional>
#include <string>

#include "store/sqlite/schema.h"

namespace metergate {

/// The values of KeyValueStore, of at most 100,000 names. Errors stick to the connection.
class KeyValueTable {
 public:
  explicit KeyValueTable(SqliteConnection& connection);

  std::optional<std::string> get(const std::string& name);
  /// Writes nothing if the value is there already. Of more than 100,000 names the one that came first is deleted.
  void put(const std::string& name, const std::string& value);

 private:
  Statement get_, id_of_, trim_, last_id_, put_;
};

}  // namespace metergate
