#pragma once

#include <string>

#include "agent/base/result.h"

namespace metergate {

/// Keeps every other process from the store at `path`, by flock(2) on `path`.lock; SQLite's own lock goes with its file
/// when that is quarantined. The lock file is never removed: two processes could then hold locks on two files of one
/// name.
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

 private:
  int fd_ = -1;
};

}  // namespace metergate
