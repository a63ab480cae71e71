#include "tests/wire/rst_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/wire/free_port.h"

namespace metergate {

sockaddr_in on_loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

namespace {

void close_with_rst(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

/// False: one side has ended.
bool forward(int from, int to) {
  char buffer[16384];
  const ssize_t n = ::recv(from, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  return ::send(to, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
}

}  // namespace

RstProxy::RstProxy(int server_port) : listener_(listen_on_loopback(port_)), server_port_(server_port) {
  thread_ = std::thread([this] { run(); });
}

RstProxy::~RstProxy() {
  stop_ = true;
  thread_.join();
}

void RstProxy::run() {
  while (!stop_) {
    pollfd p{listener_.get(), POLLIN, 0};
    if (::poll(&p, 1, 10) <= 0) continue;
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = on_loopback(server_port_);
    reset_ = false;
    ++connections_;
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) relay(client, server);
    close_with_rst(client);
    close_with_rst(server);
  }
}

void RstProxy::relay(int client, int server) {
  while (!stop_ && !reset_) {
    pollfd p[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (swallow_) {
      ::poll(nullptr, 0, 1);
      continue;
    }
    if (::poll(p, 2, 1) <= 0) continue;
    if ((p[0].revents & POLLIN) != 0 && !forward(client, server)) return;
    if ((p[1].revents & POLLIN) != 0 && !forward(server, client)) return;
    if (((p[0].revents | p[1].revents) & (POLLERR | POLLHUP)) != 0) return;
  }
}

}  // namespace metergate
