#pragma once

#include <netinet/in.h>

#include <atomic>
#include <thread>

#include "agent/base/fd.h"

namespace metergate {

sockaddr_in on_loopback(int port);

/// Stands between a client and a server on loopback, one connection at a time, and ends it as a cable or a router does.
class RstProxy {
 public:
  explicit RstProxy(int server_port);
  ~RstProxy();
  RstProxy(const RstProxy&) = delete;
  RstProxy& operator=(const RstProxy&) = delete;

  int port() const { return port_; }
  void reset() { reset_ = true; }           ///< RST to both sides, in the middle of whatever is going on
  void swallow(bool on) { swallow_ = on; }  ///< what is sent goes nowhere, and nothing comes back
  int connections() const { return connections_; }

 private:
  void run();
  void relay(int client, int server);
  int port_ = 0;
  Fd listener_;
  int server_port_;
  std::atomic<bool> stop_{false}, reset_{false}, swallow_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace metergate
