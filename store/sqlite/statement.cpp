#include "store/sqlite/statement.h"

#include <sqlite3.h>

#include <cstring>

#include "store/sqlite/file_system.h"

namespace metergate {

namespace {

/// A statement that does not fit the tables (SQLITE_ERROR) means that the file is damaged.
Errc code_of(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
      return Errc::kFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return Errc::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::kLocked;
    default:
      return Errc::kStorage;
  }
}

void hash(std::uint64_t& sum, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 1099511628211u;  // FNV-1a, 64 bit
}

/// row_sum(column, ...): by it a damaged value is found, which SQLite does not notice.
void row_sum(sqlite3_context* context, int count, sqlite3_value** values) {
  std::uint64_t sum = 14695981039346656037u;
  for (int i = 0; i < count; ++i) {
    if (sqlite3_value_type(values[i]) == SQLITE_INTEGER) {
      const std::int64_t number = sqlite3_value_int64(values[i]);
      hash(sum, &number, sizeof number);
    } else {
      const void* data = sqlite3_value_blob(values[i]);
      const std::int64_t size = sqlite3_value_bytes(values[i]);
      hash(sum, data, static_cast<std::size_t>(size));
      hash(sum, &size, sizeof size);
    }
  }
  sqlite3_result_int64(context, static_cast<std::int64_t>((sum ^ (sum >> 32)) & 0xffffffffu));
}

int note_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

SqliteConnection::SqliteConnection(std::string path, const std::string& vfs, Mode mode) : path_(std::move(path)) {
  const bool untouched = mode == Mode::kUntouched;
  const std::string uri = uri_of(path_) + (untouched ? "&immutable=1" : "");
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | (untouched ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                    (mode == Mode::kCreate ? SQLITE_OPEN_CREATE : 0);
  const int rc = sqlite3_open_v2(uri.c_str(), &db_, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (rc != SQLITE_OK) {
    fail_from(rc);
    return;
  }
  if (mode == Mode::kCreate) protect_file(path_);  // SQLite gives the WAL the rights of the file
  sqlite3_extended_result_codes(db_, 1);
  // Replaces SQLite's own checkpoint after a commit, which would hide its errors and delay the callers that wait.
  sqlite3_wal_hook(db_, note_wal_pages, &wal_pages_);
  sqlite3_create_function_v2(db_, "row_sum", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, row_sum, nullptr, nullptr,
                             nullptr);
}

SqliteConnection::~SqliteConnection() { sqlite3_close(db_); }

std::string SqliteConnection::uri_of(const std::string& path) {
  const char* const hex = "0123456789ABCDEF";
  // Without the empty authority SQLite would take the first part of a path that begins with two slashes for one.
  std::string uri = path.compare(0, 1, "/") == 0 ? "file://" : "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri += '%';
      uri += hex[(c >> 4) & 15];
      uri += hex[c & 15];
    } else {
      uri += c;
    }
  }
  return uri + "?psow=0";
}

void SqliteConnection::fail(Errc code, const std::string& detail) {
  fail(Error{code, "store " + path_ + ": " + detail});
}

void SqliteConnection::fail(Error error) {
  if (!ok_) return;
  ok_ = false;
  error_ = std::move(error);
}

void SqliteConnection::fail_from(int rc) {
  std::string detail = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc);
  const int system = db_ != nullptr ? sqlite3_system_errno(db_) : 0;
  if (system != 0 && code_of(rc) != Errc::kCorrupt) detail += std::string(", ") + std::strerror(system);
  fail(code_of(rc), detail + " (SQLite " + std::to_string(rc) + ")");
}

void SqliteConnection::run(const std::string& script) {
  if (!ok_) return;
  const int rc = sqlite3_exec(db_, script.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) fail_from(rc);
}

std::int64_t SqliteConnection::number(const std::string& sql) { return Statement(*this, sql).number_or(0); }

std::string SqliteConnection::text(const std::string& sql) {
  Statement statement(*this, sql);
  Statement::Rows rows = statement.query();
  return rows.next() ? rows.text(0) : std::string();
}

std::int64_t SqliteConnection::changes() const { return sqlite3_changes(db_); }

void SqliteConnection::begin() { run("BEGIN IMMEDIATE"); }

Status SqliteConnection::commit() {
  run("COMMIT");
  if (ok_) return {};
  Status failed = status();
  rollback();
  return failed;
}

void SqliteConnection::rollback() {
  ok_ = true;
  // After some errors SQLite has rolled back already; another ROLLBACK would be an error.
  if (sqlite3_get_autocommit(db_) == 0) run("ROLLBACK");
  ok_ = true;
}

void SqliteConnection::checkpoint() {
  if (!ok_) return;
  const int rc = sqlite3_wal_checkpoint_v2(db_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (rc != SQLITE_OK) return fail_from(rc);
  wal_pages_ = 0;
}

void SqliteConnection::leave_wal_alone(bool alone) {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, alone ? 1 : 0, nullptr);
}

Statement::Statement(SqliteConnection& connection, const std::string& sql) : connection_(connection) {
  if (!connection_.ok()) return;
  const int size = static_cast<int>(sql.size());
  const int rc =
      sqlite3_prepare_v3(connection_.handle(), sql.c_str(), size, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (rc != SQLITE_OK) connection_.fail_from(rc);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int index, const std::string& text) {
  if (statement_ == nullptr) return;
  sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Statement::bind(int index, const Blob& blob) {
  if (statement_ == nullptr) return;
  // A null pointer would be NULL instead of an empty blob.
  const char* data = blob.bytes.empty() ? "" : blob.bytes.data();
  sqlite3_bind_blob64(statement_, index, data, blob.bytes.size(), SQLITE_TRANSIENT);
}

void Statement::bind_number(int index, std::int64_t value) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, index, value);
}

Statement::Rows::~Rows() { sqlite3_reset(statement_.statement_); }

bool Statement::Rows::next() {
  if (!statement_.connection_.ok() || statement_.statement_ == nullptr) return false;
  const int rc = sqlite3_step(statement_.statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) statement_.connection_.fail_from(rc);
  return false;
}

std::int64_t Statement::Rows::number(int column) const { return sqlite3_column_int64(statement_.statement_, column); }

std::string Statement::Rows::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.statement_, column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

}  // namespace metergate
