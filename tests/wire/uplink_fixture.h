#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/uplink/connection.h"
#include "tests/fakes/captured_log.h"
#include "tests/wire/mosquitto.h"

namespace metergate {

/// Notes what a connection tells, and waits for it.
class NotedListener : public ConnectionListener {
 public:
  void on_connected(bool session_present) override {
    note([&] { connected = true, session = session_present; });
  }
  void on_subscribed(const std::vector<std::string>& topics) override {
    note([&] { subscribed = true, refused = topics; });
  }
  void on_lost(const std::string& reason) override {
    note([&] { ++lost, why = reason; });
  }
  void on_acked(Handle handle) override {
    note([&] { acked.insert(handle); });
  }
  bool on_message(const Message& message) override {
    note([&] { messages.push_back(message); });
    return take ? take(message) : true;
  }

  /// True when the condition, looked at with all notes held still, became true within `patience`.
  template <class Condition>
  bool wait(Condition condition, Millis patience = Millis{5000}) {
    std::unique_lock<std::mutex> hold(mutex);
    return changed.wait_for(hold, patience, condition);
  }

  std::mutex mutex;  // guards what is noted
  std::condition_variable changed;
  bool connected = false, session = false, subscribed = false;
  int lost = 0;
  std::string why;
  std::vector<std::string> refused;
  std::set<Handle> acked;
  std::vector<Message> messages;
  std::function<bool(const Message&)> take;

 private:
  template <class Note>
  void note(Note n) {
    {
      const std::lock_guard<std::mutex> hold(mutex);
      n();
    }
    changed.notify_all();
  }
};

/// One try: a connection and what it told. The listener outlives the connection.
struct Try {
  NotedListener told;
  std::unique_ptr<Connection> connection;

  bool up() {
    return told.wait([&] { return told.connected || told.lost > 0; }) && told.connected;
  }
  bool subscribe(const std::vector<std::string>& topics) {
    connection->subscribe(topics);
    return told.wait([&] { return told.subscribed || told.lost > 0; }) && told.subscribed;
  }
  /// Again and again while the one before is not yet written.
  bool publish(Handle handle, const Message& message) {
    for (int i = 0; i < 1000; ++i) {
      if (connection->publish(handle, message)) return true;
      pause_for(Millis{1});
    }
    return false;
  }
  bool lost() {
    return told.wait([&] { return told.lost > 0; });
  }
  bool acked(Handle handle) {
    return told.wait([&] { return told.acked.count(handle) > 0; });
  }
};

class UplinkFixture : public ::testing::Test {
 protected:
  UplinkFixture() {
    settings.options.brokers = {{"127.0.0.1", 1883}};
    settings.options.client_id = "metergate-g1";
    settings.will_topic = "metergate/g1/status";
    settings.will_payload = [] { return std::string("gone"); };
    settings.draw = [] { return 0.0; };  // the first address is the first
    settings.resolve = [this](const std::string& host, Millis) -> Result<std::vector<std::string>> {
      looked_up.push_back(host);
      return addresses;
    };
  }

  Status make_connector() {
    auto made = make_mqtt_connector(settings);
    if (!made) return made.error();
    connector = std::move(*made);
    return {};
  }
  std::unique_ptr<Try> begin() {
    if (!connector) {
      const Status made = make_connector();
      EXPECT_TRUE(made) << (made ? "" : made.error().detail);
    }
    auto one = std::make_unique<Try>();
    one->connection = connector->make(one->told);
    one->connection->start();
    return one;
  }

  SystemClock clock;
  CapturedLog log{clock};
  ConnectorSettings settings;
  std::vector<std::string> addresses{"127.0.0.1"};
  std::vector<std::string> looked_up;
  std::unique_ptr<Connector> connector;
};

}  // namespace metergate
