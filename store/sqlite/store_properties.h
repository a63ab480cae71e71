#pragma once

#include <optional>
#include <string>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// What the file says of itself: whose it is, until the next start what was repaired, and of what CountedLosses counts
/// the names. Errors stick to the connection.
class StoreProperties {
 public:
  /// Ids of the rows; never used for another meaning. kSavedRecords + lane. kLostReadings: why, then meters, one a
  /// line; kRefusedCommands: ids, one a line.
  enum class Property {
    kGateway = kGatewayProperty,
    kQuarantined = 2,
    kCommandsSaved = 3,
    kSavedRecords = 10,
    kLostReadings = 20,
    kRefusedCommands = 21
  };

  explicit StoreProperties(SqliteConnection& connection);

  std::optional<std::string> get(Property property);
  std::optional<std::string> get(Property property, Lane lane);
  void set(Property property, const std::string& value);
  void set(Property property, Lane lane, const std::string& value);
  /// Deletes all that is said of a repair.
  void forget_repair();

 private:
  Statement get_, set_, forget_repair_;
};

}  // namespace metergate
