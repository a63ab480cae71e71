#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/options.h"

namespace metergate {

struct Message {
  std::string topic;
  std::string payload;
  bool retained = false;
};

/// What one connection tells. Called on the connection's own threads, never while a call into the connection is made.
class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  /// Connected and subscribed to nothing yet. `session_present`: the broker still had this gateway's session.
  virtual void on_connected(bool session_present) = 0;
  virtual void on_subscribed() = 0;
  /// Once, also when it never came up. Everything published and not acknowledged is unknown.
  virtual void on_lost(const std::string& why) = 0;
  virtual void on_acked(std::uint64_t handle) = 0;
  /// The message is acknowledged to the broker when this returns true, and only then. May block for a commit. False ends the
  /// connection without the acknowledgement, so that the broker sends the message again.
  virtual bool on_message(const Message& message) = 0;
};

/// One connection to the broker, from connecting to its loss; never used again after. Its destructor waits for its callbacks.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Starts connecting; returns at once, also while a name lookup hangs.
  virtual void start() = 0;
  /// QoS 1, all at once; ends in on_subscribed or on_lost.
  virtual void subscribe(const std::vector<std::string>& topics) = 0;
  /// QoS 1. Never blocks on the network. False: not connected, or the window is full; nothing was taken.
  virtual bool publish(std::uint64_t handle, const Message& message) = 0;
  /// A clean goodbye; waits at most `patience`.
  virtual void disconnect(Millis patience) = 0;
};

/// Makes a fresh connection for every try: Paho C 1.3.12 re-publishes freed memory when a client is used again after a failed write.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual std::unique_ptr<Connection> make(ConnectionListener& listener) = 0;
};

/// Last will and client settings that hold for every connection. `will_payload` is asked at each connect.
struct ConnectorSettings {
  UplinkOptions options;
  std::string will_topic;
  std::function<std::string()> will_payload;
};
/// Errors: kInvalid with what is wrong in the files of certificates or password (exit 78).
Result<std::unique_ptr<Connector>> make_mqtt_connector(ConnectorSettings settings, const Clock& clock, Log& log);
/// `stdout:`: each record a line; acknowledged when written. `on_lost` when the reader is gone.
std::unique_ptr<Connector> make_stdout_connector(int fd);

}  // namespace metergate
