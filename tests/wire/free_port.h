#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <stdexcept>

#include "agent/base/fd.h"

namespace metergate {

/// A listener on a port of loopback that was free.
inline Fd listen_on_loopback(int& port, int backlog = 4) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  void* const raw = &at;
  if (bind(fd.get(), static_cast<sockaddr*>(raw), size) != 0 || listen(fd.get(), backlog) != 0 ||
      getsockname(fd.get(), static_cast<sockaddr*>(raw), &size) != 0) {
    throw std::runtime_error("no listener on loopback");
  }
  port = ntohs(at.sin_port);
  return fd;
}

/// For a program that wants to listen itself.
inline int free_port() {
  int port = 0;
  listen_on_loopback(port);
  return port;
}

}  // namespace metergate
