#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"

namespace metergate {

/// The files below --remote. A path is relative to it. Not for several threads.
class RemoteFiles {
 public:
  virtual ~RemoteFiles() = default;
  /// Errors: kNotFound, kInvalid.
  virtual Result<std::string> read(const std::string& path) = 0;
  /// Makes folders where they are missing. Durable when it returns; at no moment is there half of the content. Errors:
  /// kStorage.
  virtual Status write(const std::string& path, const std::string& content) = 0;
  /// Of the folder itself.
  virtual std::vector<std::string> list() = 0;
  /// A file, or a folder with all that is in it. May be lost by a crash: to be done again at leisure.
  virtual void remove(const std::string& path) = 0;
};

std::unique_ptr<RemoteFiles> remote_files(const std::string& folder);

}  // namespace metergate
