#pragma once

#include "store/store.h"

namespace metergate {

/// Kept records of one lane: of an epoch by number, or of all epochs by time. Both ends are included.
struct ReplayWish {
  Lane lane = Lane::kReadings;
  std::string epoch;  ///< empty: by time
  std::int64_t from_seq = 1, to_seq = 0;
  UtcTime from{}, to{};
  std::string meter;  ///< empty: of all
};

/// Numbers of which no record is kept.
struct MissingRange {
  enum class Why {
    kDropped,  ///< was deleted undelivered, and that was told
    kPurged,   ///< was delivered, and deleted when its time to be kept was over
    kUnknown   ///< never given to a record, or not known
  };
  std::string epoch;
  std::int64_t from_seq = 0, to_seq = 0;
  Why why = Why::kUnknown;
};

/// How far a search came; the default is its beginning. Holds across restarts.
struct ReplayPlace {
  std::int64_t epoch = 0;  ///< the epoch's own number in the store, 0: before the first
  std::int64_t after = 0;  ///< key of the last row that was read
  std::int64_t seq = 1;    ///< the number that comes next
  std::int64_t at_ms = 0;  ///< the time of what came last
};

/// One step of a search.
struct ReplayPiece {
  std::vector<Row> rows;              ///< of one epoch, in their order; may be empty before the end
  std::vector<MissingRange> missing;  ///< before, between and behind them
  ReplayPlace next;
  bool end = false;  ///< there is nothing behind `next`
};

/// Records by number and time. Any thread.
class Archive {
 public:
  virtual ~Archive() = default;
  /// Reads a bounded number of rows behind `place`. By time, a range counts as missing when its records may have
  /// been of that time, whatever their meter. Waits for the store's thread. Errors: kStorage, kCorrupt.
  virtual Result<ReplayPiece> search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                                     std::size_t max_bytes) = 0;
};

}  // namespace metergate
