#pragma once

#include <optional>
#include <string>

#include "agent/base/result.h"

namespace metergate {

/// Notices that the store's file or its WAL is not the one that was opened: it was deleted, or another file has its
/// name. Compares device and inode of the names. What is committed to a file without its name is lost; of a WAL without
/// its name SQLite still moves the content into the file when that is closed, and it does nothing to files that took
/// the place of both.
class FileWatch {
 public:
  explicit FileWatch(std::string path) : path_(std::move(path)) {}

  /// The files at the names are the right ones; called when they were opened.
  void begin();
  /// Errors: kCorrupt (another file, or none). A name that cannot be looked up is no error.
  Status check();
  /// The same of the database file only: SQLite deletes the WAL when it closes the file.
  Status check_database();

 private:
  struct Id {
    unsigned long long device, inode;
    bool operator==(const Id& other) const { return device == other.device && inode == other.inode; }
  };
  static std::optional<Id> id_of(const std::string& path, bool* gone);
  Status compare(const std::string& path, std::optional<Id>& known) const;

  const std::string path_;
  std::optional<Id> database_, wal_;
};

}  // namespace metergate
