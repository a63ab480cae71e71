#pragma once

#include <array>
#include <string>

#include "agent/base/log.h"
#include "store/sqlite/statement.h"
#include "store/store.h"

// How a damaged store is repaired:
//
// 1. The damaged file is attached, read only as to its rows, to a new and empty store. If SQLite cannot even attach it,
//    its first page is written anew from that of the new store: it holds the header and where the tables begin, and is
//    the same in every store of a version but for a few counts. Then it is attached again.
// 2. If it says that it belongs to another gateway, nothing is copied.
// 3. Table after table is copied, in the order of value: counters, epochs, commands, values, catalogs, dropped ranges,
//    marks; then undelivered records (results, notices, events, readings of keep=high, of keep=low); then delivered
//    ones in the same order; then dead letters. It ends when the new store is full.
// 4. Within a table, rows are copied in pieces of 100, in the order of their keys, and only those that match their
//    checksum. Where a piece cannot be read, it is halved down to one row; then damage is stepped over by doubling the
//    distance until something can be read, and halving back to where that begins.
// 5. Counts are deleted, since they are made anew at opening. The floor of new keys is put above every key that is
//    still referred to.

namespace metergate {

struct Repaired {
  std::array<std::int64_t, kLanes> records{};
  bool commands = false;  ///< all open commands, done ids and their results are there
};

/// Copies what can be read of the damaged store at `path` into a new, empty one. Calls settings.busy between rows.
/// Writes nothing to the damaged file but, if needed, its first page. Errors: kInvalid (another gateway's store), and
/// those of the new file.
Result<Repaired> repair(const std::string& path, const StoreSettings& settings, SqliteConnection& into, Log& log);

}  // namespace metergate
