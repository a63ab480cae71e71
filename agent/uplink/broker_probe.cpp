#include "agent/uplink/broker_probe.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "agent/uplink/tcp_connect.h"

namespace metergate {

namespace {

constexpr char kConnect[] = "\x10\x0d\x00\x04MQTT\x63\x02\x00\x00\x00\x01x\r\n\r\n";  // the line breaks are for HTTP

std::string answer(int fd, Millis patience) {
  ::send(fd, kConnect, sizeof kConnect - 1, MSG_NOSIGNAL);
  pollfd p{fd, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(patience.count())) <= 0) return "it takes the connection and does not answer";
  char bytes[16] = {};
  const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
  if (n >= 2 && bytes[0] == '\x15' && bytes[1] == '\x03') return "it speaks TLS: mqtts:// is wanted for this port";
  // Some send a page without a head to what they take for HTTP 0.9.
  if ((n >= 5 && std::memcmp(bytes, "HTTP/", 5) == 0) || (n >= 1 && bytes[0] == '<'))
    return "it is an HTTP server, not an MQTT broker";
  if (n >= 1 && bytes[0] == '\x20') return "it speaks MQTT, but ends the connection without an answer to the login";
  if (n > 0) return "what it answers is not MQTT";
  return "it ends the connection without an answer; a port with TLS wants mqtts://";
}

}  // namespace

std::string probe_broker(const std::string& address, int port, bool tls, Millis patience) {
  const auto fd = connect_tcp(address, port, patience / 2);
  if (!fd) return fd.error().detail;
  if (tls) return "it ends the connection during the TLS handshake; a port without TLS wants mqtt://";
  return answer(fd->get(), patience / 2);
}

}  // namespace metergate
