#pragma once

#include <memory>

#include "agent/base/log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/file_system.h"

namespace metergate {

struct Opening {
  std::unique_ptr<Database> database;
  Opened opened;
};

/// Opens the store at settings.path; makes one where there is none; quarantines and repairs a damaged one. A repair
/// that was interrupted is finished first: a new file is named PATH.new until it is whole, a damaged one PATH.damaged
/// until it is repaired. Errors: those of Database::open but kCorrupt, kNotFound (cannot be created).
Result<Opening> open_or_recover(const StoreSettings& settings, const RecordFormat& format, FileSystem& files, Log& log);

/// Renames the damaged file and its WAL, so that the next open_or_recover() repairs them.
Status quarantine(const std::string& path, FileSystem& files);

/// Removes all quarantined files but the newest. False if there was nothing to remove.
bool remove_older_quarantined(const std::string& path, FileSystem& files);

}  // namespace metergate
