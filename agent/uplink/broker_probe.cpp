#include "agent/uplink/broker_probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/base/fd.h"

namespace metergate {

namespace {

constexpr char kConnect[] = "\x10\x0d\x00\x04MQTT\x63\x02\x00\x00\x00\x01x\r\n\r\n";  // the line breaks are for HTTP

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

std::string answer(int fd, Millis patience) {
  ::send(fd, kConnect, sizeof kConnect - 1, MSG_NOSIGNAL);
  pollfd p{fd, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(patience.count())) <= 0) return "it takes the connection and does not answer";
  char bytes[16] = {};
  const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
  if (n >= 2 && bytes[0] == '\x15' && bytes[1] == '\x03') return "it speaks TLS: mqtts:// is wanted for this port";
  if (n >= 5 && std::memcmp(bytes, "HTTP/", 5) == 0) return "it is an HTTP server, not an MQTT broker";
  if (n >= 1 && bytes[0] == '\x20') return "it speaks MQTT, but ends the connection without an answer to the login";
  if (n > 0) return "what it answers is not MQTT";
  return "it ends the connection without an answer; a port with TLS wants mqtts://";
}

}  // namespace

std::string probe_broker(const std::string& address, int port, bool tls, Millis patience) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return "no such address";
  const std::unique_ptr<addrinfo, AddressDeleter> owned(found);
  const Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::strerror(errno);
  switch (const int error = connect_within(fd.get(), *found, patience / 2); error) {
    case 0:
      break;
    case ECONNREFUSED:
      return "connection refused: nothing listens on this port";
    case ETIMEDOUT:
      return "nothing answers at this address";
    default:
      return std::strerror(error);
  }
  if (tls) return "it ends the connection during the TLS handshake; a port without TLS wants mqtt://";
  return answer(fd.get(), patience / 2);
}

}  // namespace metergate
