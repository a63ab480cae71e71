#include "agent/uplink/broker_socket.h"

#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace metergate {

namespace {

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

sockaddr* generic(sockaddr_storage& address) { return reinterpret_cast<sockaddr*>(&address); }

template <class Address>
const Address& as(const sockaddr_storage& address) {
  return *reinterpret_cast<const Address*>(&address);
}

}  // namespace

BrokerSocket::BrokerSocket(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  std::memcpy(&peer_, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
}

bool BrokerSocket::is_peer_of(int fd) const {
  sockaddr_storage other{};
  socklen_t size = sizeof other;
  if (::getpeername(fd, generic(other), &size) != 0 || other.ss_family != peer_.ss_family) return false;
  if (peer_.ss_family == AF_INET) {
    const auto& a = as<sockaddr_in>(peer_);
    const auto& b = as<sockaddr_in>(other);
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  if (peer_.ss_family != AF_INET6) return false;
  const auto& a = as<sockaddr_in6>(peer_);
  const auto& b = as<sockaddr_in6>(other);
  return a.sin6_port == b.sin6_port && std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
}

std::vector<int> BrokerSocket::find() const {
  std::vector<int> found;
  const std::unique_ptr<DIR, DirCloser> dir(::opendir("/proc/self/fd"));
  if (dir == nullptr) return found;
  while (const dirent* entry = ::readdir(dir.get())) {
    const int fd = std::atoi(entry->d_name);  // "." and ".." give 0, which is no socket of ours
    if (is_peer_of(fd)) found.push_back(fd);
  }
  return found;
}

bool BrokerSocket::tune(Millis user_timeout) {
  const int on = 1;
  const auto timeout = static_cast<unsigned>(user_timeout.count());
  found_ = find();
  for (const int fd : found_) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  }
  return !found_.empty();
}

// A socket that has lost its peer was reset: it cannot send any more. A descriptor number that was given to another
// file meanwhile does not have this peer.
void BrokerSocket::cut() const {
  for (const int fd : found_) {
    if (is_peer_of(fd)) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace metergate
