#include "agent/remote/remote_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/base/fd.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;

class FilesBelow : public RemoteFiles {
 public:
  explicit FilesBelow(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string> read(const std::string& path) override { return read_file((folder_ / path).string()); }
  Status write(const std::string& path, const std::string& content) override;
  std::vector<std::string> list() override;
  void remove(const std::string& path) override {
    std::error_code none;
    fs::remove_all(folder_ / path, none);
  }

 private:
  static Error failed(const fs::path& path) { return {Errc::kStorage, path.string() + ": " + std::strerror(errno)}; }
  static Status make_folder(const fs::path& path);
  static Status sync_folder(const fs::path& path);
  fs::path folder_;
};

Status FilesBelow::sync_folder(const fs::path& path) {
  const Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return failed(path);
  return {};
}

Status FilesBelow::make_folder(const fs::path& path) {
  std::error_code none;
  if (fs::is_directory(path, none)) return {};
  if (Status above = make_folder(path.parent_path()); !above) return above;
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return failed(path);
  return sync_folder(path.parent_path());
}

Status FilesBelow::write(const std::string& path, const std::string& content) {
  const fs::path whole = folder_ / path;
  if (Status made = make_folder(whole.parent_path()); !made) return made;
  const fs::path fresh = whole.string() + ".new";
  {
    const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));  // may be a meter's password
    if (!file) return failed(fresh);
    for (std::size_t at = 0; at < content.size();) {
      const ssize_t n = ::write(file.get(), content.data() + at, content.size() - at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(fresh);
      at += static_cast<std::size_t>(n);
    }
    if (::fsync(file.get()) != 0) return failed(fresh);
  }
  if (::rename(fresh.c_str(), whole.c_str()) != 0) return failed(whole);
  return sync_folder(whole.parent_path());
}

std::vector<std::string> FilesBelow::list() {
  std::vector<std::string> names;
  std::error_code none;
  for (auto it = fs::directory_iterator(folder_, none); it != fs::directory_iterator(); it.increment(none)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

}  // namespace

std::unique_ptr<RemoteFiles> remote_files(const std::string& folder) { return std::make_unique<FilesBelow>(folder); }

}  // namespace metergate
