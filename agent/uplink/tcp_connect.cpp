#include "agent/uplink/tcp_connect.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace metergate {

namespace {

constexpr int kOn = 1;

struct AddressDeleter {
  void operator()(addrinfo* address) const { ::freeaddrinfo(address); }
};

/// 0, or the error of the connect.
int connect_within(int fd, const addrinfo& address, Millis patience) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd p{fd, POLLOUT, 0};
  if (::poll(&p, 1, static_cast<int>(patience.count())) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

Error offline(const std::string& detail) { return {Errc::kOffline, detail}; }

}  // namespace

Result<Fd> connect_tcp(const std::string& address, int port, Millis patience) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return offline("no such address");
  }
  const std::unique_ptr<addrinfo, AddressDeleter> owned(found);
  Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return offline(std::strerror(errno));
  switch (const int error = connect_within(fd.get(), *found, patience); error) {
    case 0:
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
      return fd;
    case ECONNREFUSED:
      return offline("connection refused: nothing listens on this port");
    case ETIMEDOUT:
      return offline("nothing answers at this address");
    default:
      return offline(std::strerror(error));
  }
}

}  // namespace metergate
