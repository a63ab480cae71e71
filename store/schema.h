#pragma once

#include <array>
#include <string>

#include "store/statement.h"

namespace metergate {

/// Kept in the header of the file (PRAGMA application_id), so that no foreign database is ever taken for a store.
constexpr std::int64_t kApplicationId = 0x4d747247;
/// PRAGMA user_version: major * 1000 + minor. Within a major only tables and columns are added, so a file of a newer
/// minor opens; one of a newer major does not.
constexpr std::int64_t kSchemaVersion = 1000;

/// A table whose first column is its integer primary key. Each ends with `sum`, the row_sum() of these columns.
struct Table {
  const char* name;
  const char* columns;
};

// In the order in which they are salvaged: what cannot be got again comes first.
constexpr Table kFacts{"facts", "id,value"};
constexpr Table kCounters{"counters", "id,value"};
constexpr Table kEpochs{"epochs", "id,epoch,from_key,started_ms,last_readings,last_results,last_events"};
constexpr Table kCommands{"commands", "key,id,bus,is_write,started,received_ms,answer,body"};
constexpr Table kLearned{"learned", "id,name,value"};
constexpr Table kCatalogs{"catalogs", "from_key,hash,bytes"};
constexpr Table kGaps{"gaps", "first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr Table kDrops{"drops", "event_key,first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr Table kMarks{"marks", "id,key"};
constexpr Table kDead{"dead", "id,at_ms,topic,why,payload"};

/// "INSERT INTO ..." with one parameter a column; the sum is worked out.
std::string insert_into(const Table& table);
std::string replace_into(const Table& table);
/// SQL that is true for a row that is as it was written.
std::string intact(const Table& table);

/// Whether it is a store that this program can use, or new. Errors: kInvalid (another program's database, or a store of
/// a newer major version), kCorrupt.
Status check_format(Connection& connection);
/// Brings such a file to kSchemaVersion in one transaction.
Status migrate(Connection& connection);
/// Errors: kInvalid (another gateway's store), kCorrupt (nobody's).
Status check_owner(Connection& connection, const std::string& gateway);

}  // namespace metergate
