#pragma once

#include <array>
#include <optional>
#include <string>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// One start of the agent on this store.
struct Epoch {
  std::int64_t id = 0;  ///< its own number in the store: 1, 2, ...
  std::string epoch;
  std::int64_t from_key = 0, started_ms = 0;
  std::array<std::int64_t, kLanes> last{-1, -1, -1};  ///< -1: not known, or still running
};

/// The epoch of this run, and how far it came.
struct RunningEpoch {
  std::string epoch;
  std::int64_t next_key = 0;
  std::array<std::int64_t, kLanes> last_seq{};
};

/// The newest 1,000 epochs. Errors stick to the connection.
class EpochTable {
 public:
  explicit EpochTable(SqliteConnection& connection);

  std::optional<Epoch> newest();
  std::optional<Epoch> find(const std::string& epoch);
  /// The first with this id or a higher one.
  std::optional<Epoch> first_from(std::int64_t id);
  /// Adds or replaces it, and deletes what is older than the newest 1,000.
  void write(const Epoch& epoch);
  std::int64_t last_key();  ///< the highest key that any of them names, 0 if none

 private:
  static std::optional<Epoch> read(Statement::Rows& rows);

  Statement newest_, find_, first_from_, write_, trim_, last_key_;
};

}  // namespace metergate
