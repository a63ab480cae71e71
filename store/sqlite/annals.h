#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// What the file knows of itself: whose it is, what was salvaged into it, its epochs and the catalogs that held when.
/// Errors stick to the connection.
class Annals {
 public:
  enum class Property { kGateway = 1, kAside = 2, kCommandsSaved = 3, kSaved = 10 };  ///< kSaved + lane

  explicit Annals(SqliteConnection& connection);

  std::optional<std::string> property(Property property, int lane = 0);
  void set_property(Property property, const std::string& value, int lane = 0);
  /// Forgets all but the gateway.
  void forget_replacement();

  struct Epoch {
    std::int64_t id = 0;
    std::string epoch;
    std::int64_t from_key = 0, started_ms = 0;
    std::array<std::int64_t, kLanes> last{-1, -1, -1};  ///< -1: not known, or still running
  };
  std::optional<Epoch> newest_epoch();
  std::optional<Epoch> find_epoch(const std::string& epoch);
  /// The first with this id or a higher one.
  std::optional<Epoch> epoch_from(std::int64_t id);
  /// Keeps the newest 1,000.
  void write_epoch(const Epoch& epoch);
  bool knows_epoch(const std::string& epoch);

  /// Holds for records from `from_key` on. True if it is not the present one already. What only records before
  /// `first_kept` were taken under may go.
  bool add_catalog(std::int64_t from_key, const std::string& hash, const std::string& bytes, std::int64_t first_kept);
  /// Hashes that hold for records from `from_key` on (0: none waits), oldest first, the present one last.
  std::vector<std::string> catalogs_from(std::int64_t from_key);
  std::optional<std::string> catalog(const std::string& hash);
  std::int64_t last_key();  ///< the highest key that any of them names

 private:
  static std::optional<Epoch> read(Statement::Rows& rows);

  Statement fact_, set_fact_, forget_, newest_epoch_, find_epoch_, epoch_from_, write_epoch_, trim_epochs_,
      knows_epoch_;
  Statement present_catalog_, add_catalog_, trim_catalogs_, catalogs_from_, catalog_, last_;
};

/// What agent and drivers learned, and the dead letters. Errors stick to the connection.
class Notebook {
 public:
  explicit Notebook(SqliteConnection& connection);

  std::optional<std::string> get(const std::string& name);
  /// Of more than 100,000 names the one that came first goes.
  void put(const std::string& name, const std::string& value);

  void add_dead_letter(std::int64_t id, UtcTime at, const std::string& topic, const std::string& why,
                       const std::string& payload);
  void remove_dead(std::int64_t below_id);
  std::int64_t first_dead();  ///< 0 if none
  std::int64_t last_dead();

 private:
  Statement recall_, id_of_, trim_, last_id_, write_, bury_, remove_dead_, first_dead_, last_dead_;
};

}  // namespace metergate
