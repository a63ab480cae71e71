#include "store/sqlite/schema.h"

#include <algorithm>
#include <cstring>

namespace metergate {

namespace {

constexpr std::int64_t kPerMajor = 1000;

struct Migration {
  std::int64_t version;
  const char* sql;
};

// Append only: a released step is never changed.
constexpr Migration kMigrations[] = {
    {1000, R"sql(
CREATE TABLE facts(id INTEGER PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE counters(id INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE epochs(id INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, from_key INTEGER NOT NULL,
  started_ms INTEGER NOT NULL, last_readings INTEGER NOT NULL, last_results INTEGER NOT NULL,
  last_events INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE commands(key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, bus TEXT NOT NULL, is_write INTEGER NOT NULL,
  started INTEGER NOT NULL, received_ms INTEGER NOT NULL, answer INTEGER NOT NULL, body BLOB NOT NULL,
  sum INTEGER NOT NULL) STRICT;
CREATE INDEX commands_open ON commands(bus, key) WHERE answer = 0;
CREATE INDEX commands_done ON commands(answer) WHERE answer > 0;
CREATE TABLE learned(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value BLOB NOT NULL,
  sum INTEGER NOT NULL) STRICT;
CREATE TABLE catalogs(from_key INTEGER PRIMARY KEY, hash TEXT NOT NULL, bytes BLOB NOT NULL,
  sum INTEGER NOT NULL) STRICT;
CREATE TABLE gaps(first_key INTEGER PRIMARY KEY, last_key INTEGER NOT NULL, lane INTEGER NOT NULL, epoch TEXT NOT NULL,
  from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE drops(event_key INTEGER PRIMARY KEY, first_key INTEGER NOT NULL, last_key INTEGER NOT NULL,
  lane INTEGER NOT NULL, epoch TEXT NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
  sum INTEGER NOT NULL) STRICT;
CREATE TABLE marks(id INTEGER PRIMARY KEY, key INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE dead(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, topic TEXT NOT NULL, why TEXT NOT NULL,
  payload BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE results(key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  meter TEXT NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE notices(key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  meter TEXT NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE events(key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  meter TEXT NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE readings_high(key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  meter TEXT NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE readings_low(key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  meter TEXT NOT NULL, bytes BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
)sql"},
};
static_assert(kMigrations[std::size(kMigrations) - 1].version == kSchemaVersion);

std::string write_into(const char* verb, const TableShape& table) {
  const auto commas = std::count(table.columns, table.columns + std::strlen(table.columns), ',');
  std::string values = "?1";
  for (int i = 2; i <= commas + 1; ++i) values += ",?" + std::to_string(i);
  return std::string(verb) + " INTO " + table.name + "(" + table.columns + ",sum) VALUES(" + values + ",row_sum(" +
         values + "))";
}

}  // namespace

std::string insert_into(const TableShape& table) { return write_into("INSERT", table); }
std::string replace_into(const TableShape& table) { return write_into("INSERT OR REPLACE", table); }
std::string from(const TableShape& table) { return std::string(" FROM ") + table.name + " "; }
std::string select(const TableShape& table, const std::string& rest) {
  return std::string("SELECT ") + table.columns + from(table) + rest;
}
std::string delete_from(const TableShape& table, const std::string& condition) {
  return "DELETE" + from(table) + "WHERE " + condition;
}
std::string intact(const TableShape& table) { return std::string("sum=row_sum(") + table.columns + ")"; }

Status check_format(SqliteConnection& connection) {
  const std::int64_t id = connection.number("PRAGMA application_id");
  const std::int64_t version = connection.number("PRAGMA user_version");
  const std::int64_t tables = connection.number("SELECT count(*) FROM sqlite_schema");
  const bool ours = connection.number(std::string("SELECT count(*) FROM sqlite_schema WHERE name IN ('") +
                                      kProperties.name + "','" + kCounters.name + "')") == 2;
  if (!connection.ok() || tables == 0) return connection.status();
  const std::string is = std::to_string(version / kPerMajor);
  const std::string known = std::to_string(kSchemaVersion / kPerMajor);
  if (id != kApplicationId && !ours) {
    connection.fail(Errc::kInvalid, "this is another program's database; name another file with --store");
  } else if (id != kApplicationId || !ours || version < kPerMajor || version >= kPerMajor * kPerMajor) {
    connection.fail(Errc::kCorrupt, "damaged header: application id " + std::to_string(id) + ", version " + is);
  } else if (version / kPerMajor > kSchemaVersion / kPerMajor) {
    connection.fail(Errc::kInvalid, "it was written by a newer metergate (format " + is + ", this one knows " + known +
                                        "); run the newer one, or name another file with --store");
  }
  return connection.status();
}

Status migrate(SqliteConnection& connection) {
  const std::int64_t version = connection.number("PRAGMA user_version");
  if (!connection.ok() || version >= kSchemaVersion) return connection.status();
  connection.begin();
  for (const Migration& step : kMigrations) {
    if (step.version > version) connection.run(step.sql);
  }
  connection.run("PRAGMA user_version=" + std::to_string(kSchemaVersion));
  return connection.commit();
}

Status check_owner(SqliteConnection& connection, const std::string& gateway) {
  Statement read(connection, "SELECT value" + from(kProperties) + "WHERE id=" + std::to_string(kGatewayProperty) +
                                 " AND " + intact(kProperties));
  auto rows = read.query();
  if (!rows.next()) {
    connection.fail(Errc::kCorrupt, "it does not say which gateway it belongs to");
  } else if (rows.text(0) != gateway) {
    connection.fail(Errc::kInvalid, "it belongs to gateway '" + rows.text(0) + "', not to '" + gateway +
                                        "': run with --gateway-id " + rows.text(0) +
                                        ", or name another file with --store, or move this one away");
  }
  return connection.status();
}

}  // namespace metergate
