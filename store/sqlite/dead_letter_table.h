#pragma once

#include <string>

#include "agent/base/clock.h"
#include "store/sqlite/schema.h"

namespace metergate {

/// What could not be read as a command. Ids grow by one; who calls knows the next one and how many are kept. Errors
/// stick to the connection.
class DeadLetterTable {
 public:
  explicit DeadLetterTable(SqliteConnection& connection);

  void add(std::int64_t id, UtcTime at, const std::string& topic, const std::string& why, const std::string& payload);
  void remove_below(std::int64_t id);
  std::int64_t first_id();  ///< 0 if none
  std::int64_t last_id();   ///< 0 if none

 private:
  Statement add_, remove_below_, first_id_, last_id_;
};

}  // namespace metergate
