#pragma once

#include "store/sqlite/database.h"

namespace metergate {

/// What StoreState tells of file and commits. Counts since start go on when the file is opened again.
class StoreStatistics {
 public:
  explicit StoreStatistics(const StoreSettings& settings) : settings_(settings), quota_(settings.max_bytes) {}

  void commit_took(Micros time, bool done);
  void reopened() { ++shown_.reopened; }
  /// The next database counts from 0.
  void closed(const Counters& counters);
  /// Reads the database; without one the counts stay as they were.
  StoreState state(Database* database, bool disk_full);

 private:
  const StoreSettings& settings_;
  const Quota quota_;
  StoreState shown_;
  Counters closed_;  // sums of the databases closed since start
};

}  // namespace metergate
