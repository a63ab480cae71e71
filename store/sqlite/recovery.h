#pragma once

#include <memory>

#include "agent/base/log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/file_store.h"

namespace metergate {

struct Opening {
  std::unique_ptr<Database> database;
  Opened opened;
};

/// Opens the store at settings.path; makes one where there is none; sets a damaged one aside and salvages it. Whatever
/// was interrupted before is finished: a new file has another name (.new) until it is whole, a damaged one (.damaged)
/// until it is salvaged. Errors: those of Database::open but kCorrupt, kNotFound (cannot be created).
Result<Opening> open_or_recover(const StoreSettings& settings, const RecordFormat& format, FileSystem& files, Log& log);

/// Takes the damaged file and its WAL away, so that the next open_or_replace() salvages it.
Status quarantine(const std::string& path, FileSystem& files);

/// Removes what was set aside but the newest. False if there was nothing to remove.
bool remove_older_quarantined(const std::string& path, FileSystem& files);

}  // namespace metergate
