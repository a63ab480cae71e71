#include "agent/admin/tcp_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr int kQueue = 16;
constexpr Millis kPause{10'000};

/// A listening socket, or none and errno.
Fd listen_at(const Endpoint& address) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(static_cast<std::uint16_t>(address.port));
  const bool is_v4 = ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4) ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
  Fd fd{::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return Fd{};
  const auto* to = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  if (::bind(fd.get(), to, is_v4 ? sizeof v4 : sizeof v6) != 0 || ::listen(fd.get(), kQueue) != 0) return Fd{};
  return fd;
}

}  // namespace

TcpListener::TcpListener(Endpoint address, Log& log) : address_(std::move(address)), log_(log) {}

MonoTime TcpListener::step(MonoTime now) {
  if (fd_) return MonoTime::max();
  if (now < next_) return next_;
  fd_ = listen_at(address_);
  const int reason = errno;
  if (fd_) {
    log_.info("serving http", {{"address", host_port(address_.host, address_.port)}});
    return MonoTime::max();
  }
  next_ = now + kPause;
  if (const auto times = throttle_.due("listen", std::to_string(reason), now)) {
    log_.warn("cannot listen at --http, trying again every 10 s", {{"address", host_port(address_.host, address_.port)},
                                                                   {"why", std::strerror(reason)},
                                                                   {"times", std::to_string(times)}});
  }
  return next_;
}

}  // namespace metergate
