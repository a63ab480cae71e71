#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/clock.h"

namespace metergate {

/// Paho's socket to the broker. Paho does not give it out, so it is found among the descriptors of this process by its
/// peer (getpeername). tune() and cut() are called on Paho's threads, where the socket cannot be closed meanwhile.
class BrokerSocket {
 public:
  /// `address`: numeric, as resolve() gives it.
  BrokerSocket(const std::string& address, int port);

  /// Whether there is a socket that is connected to the broker. Any thread.
  bool connected() const { return !find().empty(); }
  /// Turns Nagle's algorithm off (RFC 896), and lets the kernel end the connection when sent bytes are not acknowledged
  /// within `user_timeout` (RFC 5482). False: no such socket is connected.
  bool tune(Millis user_timeout);
  /// Ends sending and receiving on the sockets that tune() found. Opens no descriptor.
  void cut() const;

 private:
  bool is_peer_of(int fd) const;
  std::vector<int> find() const;
  sockaddr_storage peer_{};
  std::vector<int> found_;
};

}  // namespace metergate
