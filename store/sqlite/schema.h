#pragma once

#include <string>

#include "store/sqlite/statement.h"

// What lies in the store's file.
//
// The file is one SQLite database in WAL mode, so the newest commits lie in PATH-wal until they are moved into PATH.
// The two belong together. (For the files beside them see file_store.h.)
//
// Every record and every command has a `key`, an integer that grows by one over the whole life of the file and is never
// given twice. A key never leaves the store. Outside, a record has a number: it counts from 1 in each epoch (start of
// the agent) and lane (readings, results, events). Within an epoch and a lane keys and numbers grow together.
//
// Records lie in five tables, one for each kind that is evicted on its own when the file is full, so that the next
// victim is always the first row of a table and no index is needed: `readings_low`, `readings_high` (by the poll's
// `keep`), `events`, `notices` (the events `started`, `records_dropped`, which are never evicted) and `results`. A row
// holds the record's final bytes; they are sent again unchanged.
//
// Delivery is a cursor per lane, not a mark per row: everything up to the key in `counters` is sent, or delivered. From
// time to time a row of `marks` notes how far a lane is delivered at a certain running time, so that delivered rows can
// be deleted when they are old enough. Running time is counted in `counters`, too; no wall clock decides.
//
// `commands` holds open commands with their payload, and of done ones the id and the key of the result (`answer`; 0:
// open). It is what makes a repeat known.
//
// When undelivered records are evicted, their numbers become a row of `gaps`, which grows with its neighbours. Once
// reading comes to it, the event `records_dropped` tells it, and it moves to `drops`.
//
// `epochs` says which key began an epoch and what its last numbers were. `catalogs` says which catalog held from which
// key on. `learned` holds the values of KeyValueStore, `dead` what was no command, `facts` what the file says of itself
// (StoreProperties): whose it is, what was repaired into it.
//
// Every row ends with `sum`, a checksum over its other columns (row_sum in statement.cpp): SQLite notices a damaged
// page structure, but not a damaged value.

namespace metergate {

/// In the header of the file (PRAGMA application_id): another program's database is never taken for a store.
constexpr std::int64_t kApplicationId = 0x4d747247;
/// PRAGMA user_version: major * 1000 + minor. Within a major only tables and columns are added, so a file of a newer
/// minor opens; one of a newer major does not.
constexpr std::int64_t kSchemaVersion = 1000;

/// A table whose first column is its integer primary key. Each ends with `sum`, the row_sum() of these columns.
struct TableShape {
  const char* name;
  const char* columns;
};

constexpr TableShape kProperties{"facts", "id,value"};
constexpr TableShape kCounters{"counters", "id,value"};
constexpr TableShape kEpochs{"epochs", "id,epoch,from_key,started_ms,last_readings,last_results,last_events"};
constexpr TableShape kCommands{"commands", "key,id,bus,is_write,started,received_ms,answer,body"};
constexpr TableShape kKeyValues{"learned", "id,name,value"};
constexpr TableShape kCatalogs{"catalogs", "from_key,hash,bytes"};
constexpr TableShape kUntoldRanges{"gaps", "first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr TableShape kToldRanges{"drops", "event_key,first_key,last_key,lane,epoch,from_seq,to_seq"};
constexpr TableShape kMarks{"marks", "id,key"};
constexpr TableShape kDeadLetters{"dead", "id,at_ms,topic,why,payload"};
constexpr const char* kRecordColumns = "key,epoch,seq,at_ms,meter,bytes";
constexpr TableShape kReadingsLowTable{"readings_low", kRecordColumns};
constexpr TableShape kReadingsHighTable{"readings_high", kRecordColumns};
constexpr TableShape kEventsTable{"events", kRecordColumns};
constexpr TableShape kNoticesTable{"notices", kRecordColumns};
constexpr TableShape kResultsTable{"results", kRecordColumns};

/// Id of the row of kProperties that names the gateway.
constexpr int kGatewayProperty = 1;

/// "INSERT INTO ..." with one parameter a column; the sum is worked out.
std::string insert_into(const TableShape& table);
std::string replace_into(const TableShape& table);
/// " FROM table ".
std::string from(const TableShape& table);
/// "SELECT all columns but sum FROM table rest".
std::string select(const TableShape& table, const std::string& rest);
/// "DELETE FROM table WHERE condition".
std::string delete_from(const TableShape& table, const std::string& condition);
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
