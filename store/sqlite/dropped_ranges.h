#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// Numbers of one lane and epoch whose records had to go undelivered; both ends included, none between them is left.
struct DroppedRange {
  std::int64_t first_key = 0, last_key = 0;
  Lane lane = Lane::kReadings;
  std::string epoch;
  std::int64_t from_seq = 0, to_seq = 0;
};

/// Dropped ranges. Those that no event tells yet grow together with their neighbours; those that were told stay as they
/// are. Errors stick to the connection.
class DroppedRanges {
 public:
  explicit DroppedRanges(SqliteConnection& connection);

  /// Joins it with its neighbours. Returns by how much the number of untold ranges grows: 1, 0 or -1.
  std::int64_t add(DroppedRange range);
  /// Untold ranges that lie wholly before `key`, in their order, at most `max`.
  std::vector<DroppedRange> before(Lane lane, std::int64_t key, std::int64_t max);
  /// The event with `event_key` tells it.
  void told(const DroppedRange& range, std::int64_t event_key);
  /// Key of the last event behind `delivered` that tells of a range before `key`, 0 if none.
  std::int64_t untold(Lane lane, std::int64_t key, std::int64_t delivered);
  /// Keeps the newest 1,000 of those whose event is delivered.
  void trim_told(std::int64_t delivered);

  /// Ranges of an epoch's numbers, told or not, that lie in or reach into `first` to `last`, in their order. Of those
  /// told the newest 1,000 are known.
  std::vector<std::pair<std::int64_t, std::int64_t>> dropped(Lane lane, const std::string& epoch, std::int64_t first,
                                                             std::int64_t last);

  std::int64_t count(Lane lane);  ///< of untold ranges
  std::int64_t last_key();        ///< the highest key that any of them names

 private:
  void remove(const DroppedRange& range) { remove_.run(range.first_key); }
  std::optional<DroppedRange> neighbour(Statement& side, const DroppedRange& range);
  static DroppedRange range_of(const Statement::Rows& rows);

  Statement insert_, remove_, left_, right_, before_, tell_, untold_, trim_, dropped_, count_, last_;
};

}  // namespace metergate
