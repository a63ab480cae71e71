#pragma once

#include <array>
#include <string>

#include "store/sqlite/statement.h"

namespace metergate {

/// Kept in the header of the file (PRAGMA application_id), so that no foreign database is ever taken for a store.
constexpr std::int64_t kApplicationId = 0x4d747247;
/// PRAGMA user_version: major * 1000 + minor. Within a major only tables and columns are added, so a file of a newer
/// minor opens; one of a newer major does not.
constexpr std::int64_t kSchemaVersion = 1000;

/// A table whose first column is its integer primary key. Each ends with `sum`, the row_sum() of these columns.
struct TableShape {
  const char* name;
  const char* columns;
};

// In the order in which they are salvaged: what cannot be got again comes first.
constexpr TableShape kFacts{"facts", "id,value"};
constexpr TableShape kCounters{"counters", "id,value"};
constexpr TableShape kEpochs{"epochs", "id,epoch,from_key,started_ms,last_readings,last_results,last_events"};
constexpr TableShape kCommands{"commands", "key,id,bus,is_write,started,received_ms,answer,body"};
constexpr TableShape kLearned{"learned", "id,name,value"};
constexpr TableShape kCatalogs{"catalogs", "from_key,hash,bytes"};
constexpr TableShape kGaps{"gaps", "first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr TableShape kDrops{"drops", "event_key,first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr TableShape kMarks{"marks", "id,key"};
constexpr TableShape kDead{"dead", "id,at_ms,topic,why,payload"};

/// "INSERT INTO ..." with one parameter a column; the sum is worked out.
std::string insert_into(const TableShape& table);
std::string replace_into(const TableShape& table);
/// SQL that is true for a row that is as it was written.
std::string intact(const TableShape& table);

/// Whether it is a store that this program can use, or new. Errors: kInvalid (another program's database, or a store of
/// a newer major version), kCorrupt.
Status check_format(SqliteConnection& connection);
/// Brings such a file to kSchemaVersion in one transaction.
Status migrate(SqliteConnection& connection);
/// Errors: kInvalid (another gateway's store), kCorrupt (nobody's).
Status check_owner(SqliteConnection& connection, const std::string& gateway);

}  // namespace metergate
