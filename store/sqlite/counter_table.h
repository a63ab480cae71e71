#pragma once

#include "store/sqlite/counters.h"
#include "store/sqlite/schema.h"

namespace metergate {

/// The counters that lie in the file. Errors stick to the connection.
class CounterTable {
 public:
  explicit CounterTable(SqliteConnection& connection);

  /// What the file does not hold stays as it is. kCorrupt if a counter is not as it was written.
  void read(Counters& counters);
  void write(Counters& counters);

 private:
  SqliteConnection& connection_;
  Statement read_, write_;
};

}  // namespace metergate
