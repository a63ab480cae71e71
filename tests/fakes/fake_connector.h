#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "agent/uplink/connection.h"

namespace metergate {

class FakeConnector;

/// Remembers what it was asked, and tells what the test lets the broker do.
class FakeConnection : public Connection {
 public:
  struct Published {
    Handle handle;
    Message message;
  };

  FakeConnection(FakeConnector& connector, ConnectionListener& listener) : connector_(connector), listener_(listener) {}
  ~FakeConnection() override;

  void start() override;
  void describe(LinkReport& link) const override;
  std::string explain(const std::string& why) override;
  bool accepted() const override;
  void subscribe(const std::vector<std::string>& topics) override;
  bool publish(Handle handle, const Message& message) override;
  void disconnect(Millis patience) override { goodbye = patience; }

  void accept(bool session_present) { listener_.on_connected(session_present); }
  void grant(const std::vector<std::string>& refused = {}) { listener_.on_subscribed(refused); }
  void lose(const std::string& why = "reset by peer") { listener_.on_lost(why); }
  bool deliver(const Message& message) { return listener_.on_message(message); }
  void ack(Published published) {
    unacked.erase(std::remove_if(unacked.begin(), unacked.end(),
                                 [&](const Published& p) { return p.handle == published.handle; }),
                  unacked.end());
    listener_.on_acked(published.handle);
  }

  std::vector<std::string> subscribed;
  std::vector<Published> unacked;
  bool full = false;  ///< publish takes nothing
  Millis goodbye{-1};

 private:
  FakeConnector& connector_;
  ConnectionListener& listener_;
};

class FakeConnector : public Connector {
 public:
  std::unique_ptr<Connection> make(ConnectionListener& listener) override {
    auto connection = std::make_unique<FakeConnection>(*this, listener);
    now = connection.get();
    ++made;
    return connection;
  }
  bool records_only() const override { return bare; }

  FakeConnection* now = nullptr;  ///< the living connection
  int made = 0;
  bool bare = false;
  bool answers_tcp = true;
  std::string address = "192.0.2.1";   ///< that the next connection goes to
  int explained = 0;                   ///< times that a reason was asked for
  std::string refuse;                  ///< not empty: start() fails with it, at once
  std::function<void()> on_subscribe;  ///< called before a subscription is noted
  std::vector<Message> published;      ///< by all connections
};

inline FakeConnection::~FakeConnection() { connector_.now = nullptr; }
inline void FakeConnection::start() {
  if (!connector_.refuse.empty()) listener_.on_lost(connector_.refuse);
}
inline void FakeConnection::describe(LinkReport& link) const {
  link.name = "broker";
  link.port = 1883;
  link.address = connector_.address;
}
inline std::string FakeConnection::explain(const std::string& why) {
  ++connector_.explained;
  return why + ", explained";
}
inline bool FakeConnection::accepted() const { return connector_.answers_tcp; }
inline void FakeConnection::subscribe(const std::vector<std::string>& topics) {
  if (connector_.on_subscribe) connector_.on_subscribe();
  subscribed = topics;
}
inline bool FakeConnection::publish(Handle handle, const Message& message) {
  if (full) return false;
  unacked.push_back({handle, message});
  connector_.published.push_back(message);
  return true;
}

}  // namespace metergate
