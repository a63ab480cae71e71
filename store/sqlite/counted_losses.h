#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "store/sqlite/counters.h"
#include "store/sqlite/store_properties.h"
#include "store/store.h"

namespace metergate {

/// Readings that never got a number.
struct LostReadings {
  std::int64_t count = 0;
  std::set<std::string> meters;  ///< at most 100
  UtcTime from{}, to{};
  std::string why;  ///< of the first

  void add(const LostReadings& more);
};

/// What had no room is counted in its place: readings lost and commands refused, each told by an event (readings_lost,
/// commands_refused) once there is room. The counts lie in the file, so they survive a stop, and a kill once they are
/// committed.
///
/// They can be written when nothing else can: they lie in rows of `counters` and `facts` that are updated in their
/// place. Each of these tables is one page, and stays so (texts of at most 1 KiB and 10 ids), so no page is needed in
/// the file, and in the WAL no more than is there after it was written back.
///
/// All but the constructor within a transaction. Errors stick to the connection.
class CountedLosses {
 public:
  CountedLosses(StoreProperties& properties, Counters& counters) : properties_(properties), counters_(counters) {}

  void add(const LostReadings& lost);
  void add_refused(const std::string& command_id, UtcTime at);

  bool untold() const;
  /// The events that tell what is untold; it counts as told.
  std::vector<Draft> tell(const RecordFormat& format, UtcTime now);

 private:
  void counted(Counters::LossCount& losses, std::int64_t count, UtcTime from, UtcTime to);

  StoreProperties& properties_;
  Counters& counters_;
};

}  // namespace metergate
