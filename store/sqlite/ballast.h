#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "store/sqlite/file_system.h"

namespace metergate {

/// A file that holds space on the disk and gives it back when the disk is full. Without it SQLite could not even delete
/// then, since that needs room in the WAL. When the disk has room again, the file is made again.
class Ballast {
 public:
  Ballast(std::string path, std::int64_t bytes, FileSystem& files, Log& log);

  /// Makes the file, unless it is there. Learns from it whether the disk is full.
  void make(MonoTime now);
  /// The disk is full: removes the file.
  void give_back(MonoTime now);

  bool disk_full() const { return disk_full_; }
  /// When to call make() again: every 10 s on a full disk, a minute after another failure.
  MonoTime due() const { return due_; }

 private:
  bool there() const;

  const std::string path_;
  const std::int64_t bytes_;
  FileSystem& files_;
  Log& log_;
  bool disk_full_ = false;
  MonoTime due_ = MonoTime::max();
};

}  // namespace metergate
