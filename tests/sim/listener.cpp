#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sim/tcp_port.h"
#include "tests/sim/text.h"

namespace metersim {
namespace {

constexpr std::size_t kMaxConnections = 64;

}  // namespace

void Listener::listen_again() {
  if (socket_ >= 0) return;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(socket_, generic, size) != 0 || listen(socket_, 64) != 0 || getsockname(socket_, generic, &size) != 0) {
    const std::string why = strerror(errno);
    shut();
    throw Refused("port " + std::to_string(port_) + " on 127.0.0.1: " + why);
  }
  port_ = ntohs(address.sin_port);
}

void Listener::shut() {
  for (const int connection : connections_) close(connection);
  connections_.clear();
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

int Listener::accept_one() {
  const int connection = accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection < 0) return -1;
  if (connections_.size() >= kMaxConnections) {
    close(connection);
    return -1;
  }
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections_.push_back(connection);
  return connection;
}

void Listener::close_one(int connection) {
  connections_.remove(connection);
  close(connection);
}

void Listener::watch(std::vector<pollfd>& fds) const {
  if (socket_ < 0) return;
  fds.push_back({socket_, POLLIN, 0});
  for (const int connection : connections_) fds.push_back({connection, POLLIN, 0});
}

}  // namespace metersim
