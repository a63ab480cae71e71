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

namespace {
constexpr std::string_view kEpoch = "epoch ";
}  // namespace

ProcessLock::~ProcessLock() {
  if (fd_ >= 0) ::close(fd_);
}

ProcessLock::ProcessLock(ProcessLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), epoch_(std::move(other.epoch_)) {}

ProcessLock& ProcessLock::operator=(ProcessLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(epoch_, other.epoch_);
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
  const bool taken = ::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0;
  const auto text = read_file(name, 256);
  const auto lines = split(text ? *text : "", '\n');
  if (!taken) {
    return Error{Errc::kLocked, "store " + path + " is in use by another process" +
                                    (lines[0].empty() ? "" : " (" + lines[0] + ")") + "; one store serves one agent"};
  }
  if (lines.size() > 1 && lines[1].rfind(kEpoch, 0) == 0) lock.epoch_ = lines[1].substr(kEpoch.size());
  lock.write();
  return lock;
}

void ProcessLock::note_epoch(const std::string& epoch) {
  epoch_ = epoch;
  write();
}

/// What it says is for people and for an event, so it may fail.
void ProcessLock::write() const {
  std::string text = "pid " + std::to_string(::getpid()) + "\n";
  if (!epoch_.empty()) text += std::string(kEpoch) + epoch_ + "\n";
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) < 0) return;
}

bool ProcessLock::held(const std::string& path) {
  const int fd = ::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

}  // namespace metergate
