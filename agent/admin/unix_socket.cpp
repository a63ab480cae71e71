#include "agent/admin/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace metergate {
namespace {

constexpr int kQueue = 16;
constexpr mode_t kMode = 0660;
constexpr Millis kLook{30'000};

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Error{Errc::kInvalid, "socket path '" + path + "' must have 1 to " +
                                     std::to_string(sizeof(address.sun_path) - 1) + " bytes"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<Fd> stream_socket(int flags) {
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
  if (!fd) return Error{Errc::kFull, std::string("no socket: ") + std::strerror(errno)};
  return fd;
}

/// Ok when what stands in the way is the socket of a dead process.
Status dead_socket(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};  // gone meanwhile
  if (!S_ISSOCK(info.st_mode)) {
    return Error{Errc::kInvalid, path + " exists and is not a socket; remove it or choose another --control path"};
  }
  auto probe = stream_socket(SOCK_NONBLOCK);
  if (!probe) return probe.error();
  if (::connect(probe->get(), as_sockaddr(address), sizeof address) == 0 || errno == EAGAIN) {
    return Error{Errc::kLocked, "another process listens at " + path + "; choose another --control path for this one"};
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return {};
  return Error{Errc::kInvalid,
               "cannot use " + path + ": " + std::strerror(errno) + "; it must belong to the user of this process"};
}

Error bind_error(const std::string& path, int reason) {
  const std::string what = "cannot make a socket at " + path + ": " + std::strerror(reason);
  if (reason == ENOENT || reason == ENOTDIR)
    return Error{Errc::kNotFound, what + "; its folder must exist (RuntimeDirectory= of the unit makes it)"};
  return Error{Errc::kInvalid, what + "; its folder must be writable for this user"};
}

/// Errors: as UnixListener::open.
Result<Fd> listen_at(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return address.error();
  auto fd = stream_socket(SOCK_NONBLOCK);
  if (!fd) return fd.error();
  // Before bind, so that the file never has more rights (unix(7)); after it, because the umask may have taken some.
  ::fchmod(fd->get(), kMode);
  if (::bind(fd->get(), as_sockaddr(*address), sizeof *address) != 0) {
    if (errno != EADDRINUSE) return bind_error(path, errno);
    if (auto dead = dead_socket(path, *address); !dead) return dead.error();
    ::unlink(path.c_str());
    if (::bind(fd->get(), as_sockaddr(*address), sizeof *address) != 0) return bind_error(path, errno);
  }
  ::chmod(path.c_str(), kMode);
  if (::listen(fd->get(), kQueue) != 0) return bind_error(path, errno);
  return fd;
}

}  // namespace

UnixListener::UnixListener(std::string path, Fd fd, Log* log) : path_(std::move(path)), fd_(std::move(fd)), log_(log) {
  remember_file();
}

UnixListener::~UnixListener() {
  if (fd_ && has_file()) ::unlink(path_.c_str());
}

Result<UnixListener> UnixListener::open(const std::string& path, Log* log) {
  auto fd = listen_at(path);
  if (!fd) return fd.error();
  return UnixListener{path, std::move(*fd), log};
}

void UnixListener::remember_file() {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0) return;
  device_ = info.st_dev;
  inode_ = info.st_ino;
}

/// While the socket is open the kernel keeps its inode, so that no other file gets the same number.
bool UnixListener::has_file() const {
  struct stat info {};
  return ::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

MonoTime UnixListener::step(MonoTime now) {
  if (now < next_look_) return next_look_;
  next_look_ = now + kLook;
  if (has_file()) return next_look_;
  auto fd = listen_at(path_);
  if (fd) {
    fd_ = std::move(*fd);
    remember_file();
  }
  const std::string state = fd ? "made again" : fd.error().detail;
  if (log_ == nullptr || throttle_->due(path_, state, now) == 0) return next_look_;
  if (fd) {
    log_->warn("the control socket was removed and is made again", {{"path", path_}});
  } else {
    log_->warn("the control socket was removed and cannot be made again, trying every 30 s",
               {{"path", path_}, {"why", fd.error().detail}});
  }
  return next_look_;
}

Result<Fd> connect_unix(const std::string& path, Millis patience) {
  const auto address = address_of(path);
  if (!address) return address.error();
  auto fd = stream_socket(0);
  if (!fd) return fd.error();
  // A blocking connect to a full queue ends with the time limit for sending; a non-blocking one could not be waited
  // for.
  timeval limit{};
  limit.tv_sec = static_cast<time_t>(patience.count() / 1000);
  limit.tv_usec = static_cast<suseconds_t>(patience.count() % 1000 * 1000);
  ::setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd->get(), as_sockaddr(*address), sizeof *address) == 0) return fd;
  const std::string what = path + ": " + std::strerror(errno);
  switch (errno) {
    case EACCES:
    case EPERM:
      return Error{Errc::kInvalid, what + "; be root or a member of the socket's group"};
    case EAGAIN:
      return Error{Errc::kTimeout, what + "; the agent takes no connection"};
    default:
      return Error{Errc::kOffline, what + "; no agent runs with this --control path"};
  }
}

}  // namespace metergate
