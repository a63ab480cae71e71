#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/base/result.h"

namespace metergate {

/// The store's own file operations beside SQLite's, apart so that tests can make them fail.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// A file that is not there is no error.
  virtual Status remove(const std::string& path) = 0;
  /// Makes names in the folder of `path` durable.
  virtual Status sync_folder(const std::string& path) = 0;
  /// Makes a file of `bytes` whose blocks are really allocated. Errors: kFull, kStorage.
  virtual Status allocate(const std::string& path, std::int64_t bytes) = 0;
};
std::unique_ptr<FileSystem> posix_file_system();

/// Every file of the store is of mode 0640, whatever the umask. A failure is no error: a file that is not ours may have
/// the rights that its owner gave it.
void protect_file(const std::string& path);

}  // namespace metergate
