#pragma once

#include <string>

#include "agent/base/result.h"

namespace metergate {

/// Keeps every other process from the store at `path`, by flock(2) on `path`.lock; SQLite's own lock goes with its file
/// when that is quarantined. The lock file is never removed: two processes could then hold locks on two files of one
/// name. It says which process has it and which epoch was begun last, so that the next start sees when its store is
/// gone.
class ProcessLock {
 public:
  ProcessLock() = default;
  ~ProcessLock();
  ProcessLock(ProcessLock&& other) noexcept;
  ProcessLock& operator=(ProcessLock&& other) noexcept;

  /// Errors: kLocked, kNotFound (the folder is not there or not writable).
  static Result<ProcessLock> take(const std::string& path);
  /// Whether a process holds it now; makes no file.
  static bool held(const std::string& path);

  /// The epoch that was noted last, by whatever process; empty: none, or the file does not tell.
  const std::string& epoch() const { return epoch_; }
  /// Not synced, and may fail: after a loss of power the file may tell of an earlier epoch or of none.
  void note_epoch(const std::string& epoch);

 private:
  void write() const;

  int fd_ = -1;
  std::string epoch_;
};

}  // namespace metergate
