#include "store/sqlite/file_watch.h"

#include <sys/stat.h>

#include <cerrno>

namespace metergate {

std::optional<FileWatch::Id> FileWatch::id_of(const std::string& path, bool* gone) {
  struct ::stat found {};
  const int rc = ::stat(path.c_str(), &found);
  *gone = rc != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (rc != 0) return std::nullopt;
  return Id{found.st_dev, found.st_ino};
}

void FileWatch::begin() {
  bool gone = false;
  database_ = id_of(path_, &gone);
  wal_ = id_of(path_ + "-wal", &gone);
}

Status FileWatch::compare(const std::string& path, std::optional<Id>& known) const {
  bool gone = false;
  const auto present = id_of(path, &gone);
  if (!known) known = present;
  if (!known || present == known || (!present && !gone)) return {};
  return Error{Errc::kCorrupt,
               "store " + path_ + ": " + path + (gone ? " was deleted" : " was replaced") + " while the agent ran"};
}

Status FileWatch::check_database() { return compare(path_, database_); }

Status FileWatch::check() {
  const Status database = check_database();
  return database ? compare(path_ + "-wal", wal_) : database;
}

}  // namespace metergate
