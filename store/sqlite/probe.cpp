#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/sqlite/file_store.h"
#include "store/sqlite/process_lock.h"
#include "store/sqlite/schema.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;

Status probe_folder(const fs::path& folder, const std::string& path) {
  const std::string name = folder.empty() ? "." : folder.string();
  std::error_code error;
  if (!fs::is_directory(name, error)) return Error{Errc::kNotFound, "store " + path + ": there is no folder " + name};
  if (::access(name.c_str(), W_OK | X_OK) == 0) return {};
  return Error{Errc::kNotFound, "store " + path + ": cannot write to folder " + name + ": " + std::strerror(errno)};
}

}  // namespace

Status probe_store(const StoreSettings& settings) {
  const std::string& path = settings.path;
  if (Status folder = probe_folder(fs::path(path).parent_path(), path); !folder) return folder;
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  if (!fs::is_regular_file(path, error)) return Error{Errc::kStorage, "store " + path + ": it is not a file"};
  if (::access(path.c_str(), R_OK | W_OK) != 0) {
    return Error{Errc::kStorage, "store " + path + ": cannot read and write it: " + std::strerror(errno)};
  }
  // A running agent holds it, so it is usable; and a file of its own process must not be opened twice.
  if (ProcessLock::held(path)) return {};
  SqliteConnection connection(path, settings.vfs, SqliteConnection::Mode::kUntouched);
  if (Status done = check_format(connection); !done) return done;
  return check_owner(connection, settings.gateway);
}

}  // namespace metergate
