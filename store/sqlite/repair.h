#pragma once

#include <array>
#include <string>

#include "agent/base/log.h"
#include "store/sqlite/annals.h"
#include "store/store.h"

namespace metergate {

struct Repaired {
  std::array<std::int64_t, kLanes> records{};
  bool commands = false;  ///< all open commands, done ids and their results are there
};

/// Copies what can be read of the damaged store at `path` into a new, empty one, what cannot be got again first; stops
/// when that is full. Calls settings.busy between rows. A row that is not as it was written is left behind. The damaged
/// file stays as it is, but that a first page which nothing can be read without is put in from the new file. Errors:
/// kInvalid (another gateway's store), and those of the new file.
Result<Repaired> salvage(const std::string& path, const StoreSettings& settings, SqliteConnection& into, Log& log);

}  // namespace metergate
