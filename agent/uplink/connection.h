#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/resolve.h"
#include "agent/config/options.h"
#include "agent/uplink/broker_addresses.h"
#include "agent/uplink/link_report.h"

namespace metergate {

struct Message {
  std::string topic;
  std::string payload;
  bool retained = false;
};

/// Names a published message while it is in flight. As narrow as the narrowest pointer, in which Paho carries it.
using Handle = std::uint32_t;

/// What one connection reports, on its own threads or from within a call into it. Only take a note of it, except in
/// on_message.
class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  /// Connected and subscribed to nothing yet. `session_present`: the broker still had this gateway's session.
  virtual void on_connected(bool session_present) = 0;
  /// `refused`: topics of this subscription that the broker does not grant. Records go up all the same.
  virtual void on_subscribed(const std::vector<std::string>& refused) = 0;
  /// Once, also when it never came up. Everything published and not acknowledged is unknown.
  virtual void on_lost(const std::string& why) = 0;
  virtual void on_acked(Handle handle) = 0;
  /// The message is acknowledged to the broker when this returns true, and only then. May block for a commit. False
  /// ends the connection without the acknowledgement, so that the broker sends the message again. Comes until the
  /// connection's destructor returns, also after on_lost. Must not call into the connection.
  virtual bool on_message(const Message& message) = 0;
};

/// One connection to the broker, from connecting to its loss; never used again after. One thread. Its destructor waits
/// for its callbacks.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Starts connecting. Waits for a name lookup, half a second at most, and for nothing else.
  virtual void start() = 0;
  /// Adds whom it connects to, and what TLS has told. Empty: there is no broker.
  virtual void describe(LinkReport& link) const { static_cast<void>(link); }
  /// Whether the other side has taken the connection (TCP), so that an answer can be waited for.
  virtual bool accepted() const { return true; }
  /// QoS 1, all at once; ends in on_subscribed or on_lost. Only when the one before has ended.
  virtual void subscribe(const std::vector<std::string>& topics) = 0;
  /// QoS 1. Never blocks on the network. False: not taken; on_lost follows, or it is to be tried again after pace().
  virtual bool publish(Handle handle, const Message& message) = 0;
  /// Disconnects cleanly; waits at most `patience`.
  virtual void disconnect(Millis patience) = 0;
  /// After on_lost before on_connected: a better text for the reason, if it can be found out. Waits half a second at
  /// most, and may connect to the broker for it.
  virtual std::string explain(const std::string& why) { return why; }
  /// Goes on with what is half done; for a connection without a thread of its own.
  virtual void step() {}
  /// How soon it wants step() or a refused publish() again, if nothing else happens.
  virtual Millis pace() const { return std::chrono::hours(1); }
};

/// Makes a fresh connection for every try: Paho C 1.3.12 re-publishes freed memory when a client is used again after a
/// failed write (eclipse/paho.mqtt.c issues 1592, 1401). At most one connection lives at a time, and none outlives it.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual std::unique_ptr<Connection> make(ConnectionListener& listener) = 0;
  /// Takes records only, one a message without its topic: no session, no subscriptions, no further connection after
  /// on_lost.
  virtual bool records_only() const { return false; }
};

/// Last will and client settings that hold for every connection. `will_payload` is called at each connect.
struct ConnectorSettings {
  UplinkOptions options;
  std::string will_topic;
  std::function<std::string()> will_payload;
  BrokerAddresses::Resolve resolve = metergate::resolve;
  Draw draw = system_draw();  ///< which of the broker's addresses is the first
};
/// Reads the password file once. Removes http_proxy and https_proxy from the environment, because Paho would obey them:
/// call it before threads start. Errors: kInvalid with what is wrong in the files of certificates or password (exit
/// 78).
Result<std::unique_ptr<Connector>> make_mqtt_connector(ConnectorSettings settings);
/// `stdout:`: each record a line; acknowledged when written. `on_lost` when the reader is gone. Ignores SIGPIPE from
/// now on. The file descriptor stays the caller's, and stays as it is (O_NONBLOCK would reach other processes).
std::unique_ptr<Connector> make_stdout_connector(int fd);

}  // namespace metergate
