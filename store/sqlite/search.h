#pragma once

#include <array>
#include <string>

#include "store/archive.h"
#include "store/sqlite/annals.h"
#include "store/sqlite/dropped_ranges.h"
#include "store/sqlite/record_tables.h"

namespace metergate {

/// One piece of a search in the archive, epoch by epoch and number by number. Errors stick to the connection.
class Search {
 public:
  /// Where the running epoch is.
  struct Present {
    std::string epoch;
    std::int64_t next_key;
    std::array<std::int64_t, kLanes> last_seq;
  };
  Search(RecordTables& record_tables, DroppedRanges& gaps, Annals& annals, Present present, const ReplayWish& wish)
      : record_tables_(record_tables),
        dropped_ranges_(gaps),
        annals_(annals),
        present_(std::move(present)),
        wish_(wish) {}

  ReplayPiece piece(const ReplayPlace& place, std::size_t max_rows, std::size_t max_bytes);

 private:
  enum class Walk { kAll, kPart };  // whether the epoch's rows are through

  bool by_number() const { return !wish_.epoch.empty(); }
  void enter(const Annals::Epoch& epoch);
  Walk walk(const Annals::Epoch& epoch, std::int64_t last_key, std::size_t max_rows, std::size_t max_bytes);
  void leave(const Annals::Epoch& epoch, const std::optional<Annals::Epoch>& next);
  void hole(const Annals::Epoch& epoch, std::int64_t last, std::int64_t until_ms);
  void add(const std::string& epoch, std::int64_t from, std::int64_t to, MissingRange::Why why);
  std::int64_t last_number(const Annals::Epoch& epoch) const;

  RecordTables& record_tables_;
  DroppedRanges& dropped_ranges_;
  Annals& annals_;
  const Present present_;
  const ReplayWish& wish_;
  ReplayPiece piece_;
};

}  // namespace metergate
