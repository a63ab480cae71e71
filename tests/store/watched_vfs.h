#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace metergate {

/// One operation on a database file that changes something, before it is done.
struct FileOperation {
  enum class Kind { kOpen, kWrite, kTruncate, kSync, kDelete };
  Kind kind;
  std::string path;
  std::int64_t offset = 0;  ///< of a write; the new size of a truncation
  std::string bytes;
};

/// An SQLite VFS over the system's own that asks before each operation.
class WatchedVfs {
 public:
  explicit WatchedVfs(const std::string& name);
  ~WatchedVfs();
  WatchedVfs(const WatchedVfs&) = delete;
  WatchedVfs& operator=(const WatchedVfs&) = delete;

  enum class Verdict { kDone, kFails, kNoSpace };  ///< what fails is not done
  std::function<Verdict(const FileOperation&)> judge;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace metergate
