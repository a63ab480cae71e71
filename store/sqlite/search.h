#pragma once

#include <array>
#include <string>

#include "store/archive.h"
#include "store/sqlite/dropped_ranges.h"
#include "store/sqlite/epoch_table.h"
#include "store/sqlite/record_tables.h"

namespace metergate {

/// One piece of a search in the archive, epoch by epoch and number by number. Errors stick to the connection.
class Search {
 public:
  Search(RecordTables& record_tables, DroppedRanges& dropped_ranges, EpochTable& epochs, RunningEpoch running,
         const ReplayWish& wish)
      : record_tables_(record_tables),
        dropped_ranges_(dropped_ranges),
        epochs_(epochs),
        running_(std::move(running)),
        wish_(wish) {}

  ReplayPiece piece(const ReplayPlace& place, std::size_t max_rows, std::size_t max_bytes);

 private:
  enum class Walk { kAll, kPart };  // whether all rows of the epoch were read

  bool by_number() const { return !wish_.epoch.empty(); }
  void enter(const Epoch& epoch);
  Walk walk(const Epoch& epoch, std::int64_t last_key, std::size_t max_rows, std::size_t max_bytes);
  void leave(const Epoch& epoch, const std::optional<Epoch>& next);
  void hole(const Epoch& epoch, std::int64_t last, std::int64_t until_ms);
  void add(const std::string& epoch, std::int64_t from, std::int64_t to, MissingRange::Why why);
  std::int64_t last_number(const Epoch& epoch) const;

  RecordTables& record_tables_;
  DroppedRanges& dropped_ranges_;
  EpochTable& epochs_;
  const RunningEpoch running_;
  const ReplayWish& wish_;
  ReplayPiece piece_;
};

}  // namespace metergate
