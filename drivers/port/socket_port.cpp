#include "drivers/port/socket_port.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "agent/base/resolve.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr int kUnacknowledgedMs = 10'000;
constexpr int kKeepAliveIdleS = 30, kKeepAliveEveryS = 5, kKeepAliveTries = 3;

void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

void set_up(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveEveryS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveTries);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
}

/// errno of a connect that was under way, 0 once it stands.
int wait_connected(int fd, Nanos patience, const Clock& clock) {
  const MonoTime deadline = clock.mono() + patience;
  for (MonoTime now = clock.mono(); now < deadline; now = clock.mono()) {
    pollfd watched{fd, POLLOUT, 0};
    const auto left = std::chrono::duration_cast<Millis>(deadline - now) + Millis{1};
    const int rc = poll(&watched, 1, static_cast<int>(left.count()));
    if (rc < 0 && errno != EINTR) return errno;
    if (rc <= 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
  return ETIMEDOUT;
}

}  // namespace

std::string SocketPort::name() const { return host_port(settings_.host, settings_.port); }

Status SocketPort::open() {
  close();
  const Result<std::vector<std::string>> addresses = resolve(settings_.host, settings_.connect_timeout);
  if (!addresses) return Error{Errc::kBusDown, name() + ": " + addresses.error().detail};

  const MonoTime deadline = clock_.mono() + settings_.connect_timeout;
  std::string failures;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const Nanos share = (deadline - clock_.mono()) / static_cast<Nanos::rep>(addresses->size() - i);
    Result<Fd> fd = connect_to((*addresses)[i], share);
    if (fd) {
      opened(std::move(*fd));
      return {};
    }
    failures += (failures.empty() ? "" : "; ") + fd.error().detail;
  }
  return Error{Errc::kBusDown, name() + ": cannot connect: " + failures};
}

Result<Fd> SocketPort::connect_to(const std::string& address, Nanos patience) const {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int rc = getaddrinfo(address.c_str(), std::to_string(settings_.port).c_str(), &hints, &found); rc != 0) {
    return Error{Errc::kBusDown, address + ": " + gai_strerror(rc)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Fd fd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error{Errc::kBusDown, address + ": " + std::strerror(errno)};
  set_up(fd.get());
  int reason = connect(fd.get(), found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
  if (reason == EINPROGRESS) reason = wait_connected(fd.get(), patience, clock_);
  if (reason != 0) return Error{Errc::kBusDown, address + ": " + std::strerror(reason)};
  return fd;
}

}  // namespace metergate
