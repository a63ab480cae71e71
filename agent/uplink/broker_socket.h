#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/clock.h"

namespace metergate {

/// The socket that Paho holds to the broker and does not give out: found among the descriptors of this process by its
/// peer (getpeername). Safe to call on Paho's threads, where the socket cannot be closed meanwhile.
class BrokerSocket {
 public:
  /// `address`: numeric, as resolve() gives it.
  BrokerSocket(const std::string& address, int port);

  /// No waiting to fill a segment (RFC 896), and an end of the connection when sent bytes stay without an
  /// acknowledgement for `user_timeout` (RFC 5482). False: no such socket is connected.
  bool tune(Millis user_timeout);
  /// From now on nothing more is sent or received on what tune() found. Needs no descriptor of its own.
  void cut() const;

 private:
  bool is_peer_of(int fd) const;
  sockaddr_storage peer_{};
  std::vector<int> found_;
};

}  // namespace metergate
