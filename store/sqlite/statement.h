#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "agent/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace metergate {

/// One SQLite connection, for one thread. Its first error sticks, and no further statement is executed: so a
/// transaction needs no check after each statement, only one at its end, of commit() or status().
class SqliteConnection {
 public:
  /// kUntouched reads what the file itself holds, without its WAL, and makes no other file beside it.
  enum class Mode { kExisting, kCreate, kUntouched };

  /// Opens with psow=0: a torn write may damage the whole 4096 byte sector, so commits in the WAL are padded to one.
  SqliteConnection(std::string path, const std::string& vfs, Mode mode);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  bool ok() const { return ok_; }
  /// Errors: kFull, kStorage, kCorrupt (also a file whose tables are not as they should be), kLocked.
  Status status() const { return ok_ ? Status() : Status(error_); }
  void fail(Errc code, const std::string& detail);
  void fail(Error error);
  void fail_from(int rc);
  bool failed_as(Errc code) const { return !ok_ && error_.code == code; }
  void forget_error() { ok_ = true; }

  void run(const std::string& script);          ///< SQL without results
  std::int64_t number(const std::string& sql);  ///< first column of the first row, 0 if none
  std::string text(const std::string& sql);     ///< the same, "" if none
  std::int64_t changes() const;                 ///< rows that the last statement changed

  void begin();
  /// Durable when it returns without error. After kStorage it is unknown until the file was opened again.
  Status commit();
  void rollback();  ///< forgets the error, too

  int wal_pages() const { return wal_pages_; }  ///< in the WAL after the last commit
  void checkpoint();                            ///< moves the WAL's pages into the file
  /// The WAL is not moved into the file when the connection is closed; for a file that must not change.
  void leave_wal_alone(bool alone);

  sqlite3* handle() const { return db_; }
  static std::string uri_of(const std::string& path);

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
  int wal_pages_ = 0;
  bool ok_ = true;
  Error error_{};
};

/// Bytes that SQLite keeps as a BLOB; a std::string is TEXT.
struct Blob {
  std::string_view bytes;
};

/// A prepared statement. To be destroyed before its connection.
class Statement {
 public:
  Statement(SqliteConnection& connection, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// The rows of one execution. Its destructor resets the statement: an open one would keep the WAL from being reused.
  class Rows {
   public:
    explicit Rows(const Statement& statement) : statement_(statement) {}
    ~Rows();
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    bool next();  ///< false at the end and after an error
    std::int64_t number(int column) const;
    std::string text(int column) const;  ///< of TEXT and BLOB

   private:
    const Statement& statement_;
  };

  template <class... Args>
  Rows query(const Args&... args) {
    bind_all(args...);
    return Rows(*this);
  }
  template <class... Args>
  void run(const Args&... args) {
    Rows rows = query(args...);
    while (rows.next()) {
    }
  }
  /// The first column of the first row, or `otherwise`.
  template <class... Args>
  std::int64_t number_or(std::int64_t otherwise, const Args&... args) {
    Rows rows = query(args...);
    return rows.next() ? rows.number(0) : otherwise;
  }

 private:
  template <class... Args>
  void bind_all(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
  }
  template <class T>
  std::enable_if_t<std::is_integral_v<T>> bind(int index, T value) {
    bind_number(index, static_cast<std::int64_t>(value));
  }
  void bind(int index, const std::string& text);
  void bind(int index, const Blob& blob);
  void bind_number(int index, std::int64_t value);

  SqliteConnection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace metergate
