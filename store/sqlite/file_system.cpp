#include "store/sqlite/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace metergate {

namespace {

Status failed(const std::string& what, int number) {
  const Errc code = number == ENOSPC || number == EDQUOT ? Errc::kFull : Errc::kStorage;
  return Error{code, what + ": " + std::strerror(number)};
}

class PosixFileSystem final : public FileSystem {
 public:
  Status rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) == 0) return {};
    return failed("cannot rename " + from + " to " + to, errno);
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return failed("cannot remove " + path, errno);
  }

  Status sync_folder(const std::string& path) override {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed("cannot open the folder of " + path, errno);
    const int rc = ::fsync(fd);
    const int number = errno;
    ::close(fd);
    return rc == 0 ? Status() : failed("cannot sync the folder of " + path, number);
  }

  Status allocate(const std::string& path, std::int64_t bytes) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return failed("cannot create " + path, errno);
    protect_file(path);
    int number = ::posix_fallocate(fd, 0, bytes);
    if (number == 0 && ::ftruncate(fd, bytes) != 0) number = errno;
    ::close(fd);
    if (number == 0) return {};
    ::unlink(path.c_str());
    return failed("cannot allocate " + std::to_string(bytes) + " bytes in " + path, number);
  }
};

}  // namespace

void protect_file(const std::string& path) { static_cast<void>(::chmod(path.c_str(), 0640)); }

std::unique_ptr<FileSystem> posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace metergate
