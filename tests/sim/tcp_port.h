#pragma once

#include <list>
#include <string>

#include "tests/sim/loop.h"
#include "tests/sim/rtu_wire.h"

namespace metersim {

/// A listening socket on the loopback interface and its connections.
class Listener {
 public:
  /// Port 0 takes a free one, and keeps it. Throws Refused.
  explicit Listener(int port) : port_(port) { listen_again(); }
  ~Listener() { shut(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void listen_again();
  void shut();
  /// A new connection, or -1. Beyond 64 they are closed at once.
  int accept_one();
  void close_one(int connection);

  int port() const { return port_; }
  int socket() const { return socket_; }
  const std::list<int>& connections() const { return connections_; }
  void watch(std::vector<pollfd>& fds) const;

 private:
  int port_;
  int socket_ = -1;
  std::list<int> connections_;
};

/// RTU frames over TCP: a serial server with one wire behind it. What comes back goes to every connection.
class RtuTcpPort : public Port {
 public:
  RtuTcpPort(int port, const LineTiming& timing, Station& station);

  void watch(std::vector<pollfd>& fds) const override { listener_.watch(fds); }
  void ready(int fd, short events, Nanos now) override;
  std::optional<Due> deadline() const override { return wire_.deadline(); }
  void step(Nanos now) override { wire_.step(now); }
  void unplug(Nanos now) override;
  void plug(Nanos) override { listener_.listen_again(); }
  std::string description() const override { return "rtu-tcp " + std::to_string(listener_.port()); }

 private:
  void broadcast(const std::uint8_t* data, std::size_t size);

  Listener listener_;
  RtuWire wire_;
};

/// Modbus TCP: a gateway that answers each connection's requests in their order.
class MbapPort : public Port {
 public:
  MbapPort(int port, bool late_drop, Station& station);

  void watch(std::vector<pollfd>& fds) const override { listener_.watch(fds); }
  void ready(int fd, short events, Nanos now) override;
  std::optional<Due> deadline() const override;
  void step(Nanos now) override;
  void unplug(Nanos now) override;
  void plug(Nanos) override { listener_.listen_again(); }
  std::string description() const override { return "tcp " + std::to_string(listener_.port()); }

 private:
  struct Session {
    int fd;
    Transmitter transmitter;
    Bytes received;
  };
  void close_session(int fd, Nanos now);
  /// False: what was received is no Modbus TCP.
  bool take_frames(Session& session, Nanos now);
  void take_request(Session& session, const Bytes& frame, Nanos now);

  Listener listener_;
  Station& station_;
  std::string name_;
  bool late_drop_;
  std::list<Session> sessions_;
};

}  // namespace metersim
