#include "store/sqlite/process_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/text.h"
#include "store/sqlite/file_system.h"

namespace metergate {

ProcessLock::~ProcessLock() {
  if (fd_ >= 0) ::close(fd_);
}

ProcessLock::ProcessLock(ProcessLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

ProcessLock& ProcessLock::operator=(ProcessLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Result<ProcessLock> ProcessLock::take(const std::string& path) {
  const std::string name = path + ".lock";
  ProcessLock lock;
  lock.fd_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock.fd_ < 0) {
    return Error{Errc::kNotFound, "store " + path + ": cannot create " + name + ": " + std::strerror(errno) +
                                      "; its folder must exist and be writable"};
  }
  protect_file(name);
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read_file(name, 64);
    return Error{Errc::kLocked, "store " + path + " is in use by another process" +
                                    (holder ? " (" + std::string(trim(*holder)) + ")" : "") +
                                    "; one store serves one agent"};
  }
  const std::string holder = "pid " + std::to_string(::getpid()) + "\n";
  // For the message above only, so it may fail.
  if (::ftruncate(lock.fd_, 0) == 0 && ::pwrite(lock.fd_, holder.data(), holder.size(), 0) < 0) return lock;
  return lock;
}

bool ProcessLock::held(const std::string& path) {
  const int fd = ::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

}  // namespace metergate
