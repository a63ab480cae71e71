#include <mqtt/async_client.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

#include "agent/base/text.h"
#include "agent/uplink/broker_probe.h"
#include "agent/uplink/broker_socket.h"
#include "agent/uplink/connection.h"
#include "agent/uplink/credentials.h"
#include "agent/uplink/mqtt_packet.h"
#include "agent/uplink/tls_peer.h"

namespace metergate {

namespace {

constexpr Millis kUserTimeout{30'000};
constexpr std::chrono::seconds kConnectTimeout{600};  // beyond the patience of the session, which ends it before
constexpr int kQos = 1;
constexpr int kMessagesBeside = 16;  // room in Paho's window beside the forwarder's own
// Published and not yet written. Paho C 1.3.12 never frees what was not written when its client goes.
constexpr int kUnwritten = 1;
// Paho C 1.3.12 keeps a buffer of the size of the largest packet that came, until its last client goes.
constexpr std::size_t kBloated = 1 << 20;
constexpr Millis kPauseMin{1};
constexpr Millis kPauseMax{64};

/// What the connections of one connector share. Used by one connection at a time.
struct Common {
  explicit Common(ConnectorSettings s)
      : settings(std::move(s)), addresses(settings.options.brokers, settings.resolve, settings.draw) {}
  ~Common() { ::explicit_bzero(password.data(), password.size()); }
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;

  ConnectorSettings settings;
  BrokerAddresses addresses;
  std::string password;  // Paho makes copies that nobody can wipe
  std::optional<TlsPeer> peer;
};

class PahoConnection final : public Connection, private mqtt::iaction_listener {
 public:
  PahoConnection(Common& common, ConnectionListener& listener) : common_(common), listener_(listener) {}
  ~PahoConnection() override {
    lost_ = true;  // the listener is going away; do not report what is dropped
    client_.reset();
  }

  void start() override;
  std::string explain(const std::string& why) override;
  void describe(LinkReport& link) const override;
  bool accepted() const override { return socket_ && socket_->connected(); }
  void subscribe(const std::vector<std::string>& topics) override;
  bool publish(Handle handle, const Message& message) override;
  void disconnect(Millis patience) override;
  Millis pace() const override { return full_ ? pause_ : Connection::pace(); }

 private:
  // Called on Paho's threads, which hold its lock: call nothing of Paho in here but what reads a finished token.
  void on_success(const mqtt::token& token) override;
  void on_failure(const mqtt::token& token) override;
  void on_message(const mqtt::const_message_ptr& message);

  void connected(const mqtt::token& token);
  void subscribed(const mqtt::token& token);
  void fail(const std::string& why);
  std::string lost_text();
  template <class Call>
  bool guarded(const char* what, Call call);
  mqtt::connect_options connect_options() const;

  Common& common_;
  ConnectionListener& listener_;
  BrokerAddresses::Place place_;
  std::string at_;  // the place, for messages
  std::optional<BrokerSocket> socket_;
  std::vector<std::string> topics_;
  std::atomic<bool> lost_{false};
  std::atomic<bool> unexplained_{false};  // why it was lost; before it is told
  bool refused_ = false;                  // Paho's receiving thread only
  bool bloated_ = false;                  // likewise
  bool full_ = false;                     // the last publish found kUnwritten messages
  Millis pause_{0};                       // before the next, growing while nothing is written
  std::unique_ptr<mqtt::async_client> client_;
};

/// No exception of ours goes through Paho's C code, none of Paho's through ours.
template <class Call>
bool PahoConnection::guarded(const char* what, Call call) {
  try {
    call();
    return true;
  } catch (const std::exception& e) {
    fail(std::string(what) + ": " + e.what());
  } catch (...) {
    fail(std::string(what) + ": an exception without a description");
  }
  return false;
}

void PahoConnection::fail(const std::string& why) {
  if (!lost_.exchange(true)) listener_.on_lost(why);
}

/// Before the CONNACK it may be somebody who does not speak as we do.
std::string PahoConnection::lost_text() {
  const std::string reason = common_.peer ? common_.peer->refusal().value_or("") : "";
  if (!reason.empty()) return at_ + ": " + reason;
  unexplained_ = true;
  return "broker or network ended the connection to " + at_;
}

std::string PahoConnection::explain(const std::string& why) {
  if (!unexplained_) return why;
  // An alert can be lost: TLS 1.3 lets the client write before the server has judged its certificate.
  if (common_.peer && common_.peer->verified()) {
    return at_ + ": " + kEndsAfterHandshake;
  }
  return at_ + ": " + probe_broker(place_.address, place_.port, common_.settings.options.tls, kProbePatience);
}

void PahoConnection::describe(LinkReport& link) const {
  link.name = place_.host;
  link.port = place_.port;
  link.address = place_.address;
  if (common_.peer) link.tls = common_.peer->facts();
}

void PahoConnection::start() {
  const UplinkOptions& options = common_.settings.options;
  const Endpoint node = common_.addresses.upcoming();
  place_ = {node.host, "", node.port};
  const auto place = common_.addresses.next();
  if (!place) return fail(place.error().detail);
  place_ = *place;
  at_ = host_port(place_.address, place_.port);
  socket_.emplace(place_.address, place_.port);
  if (common_.peer) common_.peer->expect(place_.host);
  guarded("connecting", [&] {
    // Client id and options only: a further string would choose Paho's file persistence, which is not ours to rely on.
    mqtt::create_options create(MQTTVERSION_3_1_1, kUnwritten);
    client_ =
        std::make_unique<mqtt::async_client>((options.tls ? "ssl://" : "tcp://") + at_, options.client_id, create);
    client_->set_connection_lost_handler([this](const std::string&) { fail(lost_text()); });
    client_->set_message_callback([this](const mqtt::const_message_ptr& m) { on_message(m); });
    client_->connect(connect_options(), nullptr, *this);
  });
}

mqtt::connect_options PahoConnection::connect_options() const {
  const UplinkOptions& options = common_.settings.options;
  mqtt::connect_options connect;
  connect.set_mqtt_version(MQTTVERSION_3_1_1);
  connect.set_clean_session(false);
  connect.set_keep_alive_interval(std::chrono::duration_cast<std::chrono::seconds>(options.keep_alive));
  connect.set_connect_timeout(kConnectTimeout);
  connect.set_max_inflight(options.max_inflight + kMessagesBeside);
  connect.set_will(mqtt::will_options(common_.settings.will_topic, common_.settings.will_payload(), kQos, true));
  if (!options.username.empty()) connect.set_user_name(options.username);
  if (!common_.password.empty()) connect.set_password(common_.password);
  if (options.tls) {
    mqtt::ssl_options ssl;
    if (!options.ca_file.empty()) ssl.set_trust_store(options.ca_file);
    if (!options.cert_file.empty()) {
      ssl.set_key_store(options.cert_file);
      ssl.set_private_key(options.key_file.empty() ? options.cert_file : options.key_file);
    }
    ssl.set_enable_server_cert_auth(true);
    ssl.set_verify(false);  // Paho would compare the certificate with the address; TlsPeer holds it to the name
    connect.set_ssl(ssl);
  }
  return connect;
}

void PahoConnection::on_success(const mqtt::token& token) {
  guarded("a callback", [&] {
    if (token.get_type() == mqtt::token::Type::CONNECT) return connected(token);
    if (token.get_type() == mqtt::token::Type::SUBSCRIBE) return subscribed(token);
    listener_.on_acked(static_cast<Handle>(reinterpret_cast<std::uintptr_t>(token.get_user_context())));
    // Not in on_message: the PUBACK of the large message is sent after that returns.
    if (bloated_) fail("reconnecting to free the memory that a very large message took");
  });
}

void PahoConnection::connected(const mqtt::token& token) {
  if (common_.peer && !common_.peer->verified())
    return fail("the TLS handshake with " + at_ + " did not verify the broker's certificate");
  // The socket is needed to refuse a message, and to turn off Nagle's algorithm, which delays small writes in a row.
  if (!socket_->tune(kUserTimeout)) return fail("cannot find the socket of the connection to " + at_);
  listener_.on_connected(token.get_connect_response().is_session_present());
}

/// A granted QoS below ours is no refusal (MQTT 3.1.1, 3.9.3).
void PahoConnection::subscribed(const mqtt::token& token) {
  const auto codes = token.get_subscribe_response().get_reason_codes();
  std::vector<std::string> refused;
  for (std::size_t i = 0; i < codes.size() && i < topics_.size(); ++i) {
    if (static_cast<int>(codes[i]) == kSubackFailure) refused.push_back(topics_[i]);
  }
  listener_.on_subscribed(refused);
}

void PahoConnection::on_failure(const mqtt::token& token) {
  guarded("a callback", [&] {
    const int code = token.get_return_code();
    if (token.get_type() == mqtt::token::Type::SUBSCRIBE && code == kSubackFailure) return subscribed(token);
    const std::string connack = token.get_type() == mqtt::token::Type::CONNECT ? connack_text(code) : std::string{};
    fail(connack.empty() ? lost_text() : at_ + ": " + connack);
  });
}

void PahoConnection::on_message(const mqtt::const_message_ptr& message) {
  bool durable = false;
  if (!refused_) {
    guarded("taking a message", [&] {
      durable = listener_.on_message(Message{message->get_topic(), message->get_payload_str(), message->is_retained()});
    });
  }
  bloated_ = bloated_ || message->get_payload_ref().size() > kBloated;
  if (durable) return;
  // Paho sends the PUBACK whatever is returned here; on a socket that is cut it cannot leave. Messages that were read
  // behind this one are refused, too.
  refused_ = true;
  socket_->cut();
  fail("cannot store a message now; the broker will send it again");
}

void PahoConnection::subscribe(const std::vector<std::string>& topics) {
  if (lost_) return;
  topics_ = topics;
  guarded("subscribing", [&] {
    client_->subscribe(mqtt::string_collection::create(topics),
                       mqtt::iasync_client::qos_collection(topics.size(), kQos), nullptr, *this);
  });
}

bool PahoConnection::publish(Handle handle, const Message& message) {
  full_ = false;
  if (lost_) return false;
  const bool taken = guarded("publishing", [&] {
    try {
      auto* const context = reinterpret_cast<void*>(std::uintptr_t{handle});  // NOLINT(performance-no-int-to-ptr)
      client_->publish(mqtt::make_message(message.topic, message.payload, kQos, message.retained), context, *this);
    } catch (const mqtt::exception& e) {
      if (e.get_return_code() != MQTTASYNC_MAX_BUFFERED_MESSAGES) throw;
      full_ = true;
    }
  });
  pause_ = full_ ? std::clamp(pause_ * 2, kPauseMin, kPauseMax) : Millis{0};
  return taken && !full_;
}

void PahoConnection::disconnect(Millis patience) {
  if (lost_.exchange(true) || client_ == nullptr) return;
  guarded("disconnecting", [&] { client_->disconnect(0)->wait_for(patience); });
}

class PahoConnector final : public Connector {
 public:
  PahoConnector(ConnectorSettings settings, std::string password) : common_(std::move(settings)) {
    common_.password = std::move(password);
    if (common_.settings.options.tls) common_.peer.emplace();
  }
  std::unique_ptr<Connection> make(ConnectionListener& listener) override {
    return std::make_unique<PahoConnection>(common_, listener);
  }

 private:
  Common common_;
};

}  // namespace

Result<std::unique_ptr<Connector>> make_mqtt_connector(ConnectorSettings settings) {
  const UplinkOptions& options = settings.options;
  auto password = read_credentials(options);
  if (!password) return password.error();
  ::unsetenv("http_proxy");  // Paho C 1.3.12 would take them for plain MQTT as well
  ::unsetenv("https_proxy");
  return std::unique_ptr<Connector>(std::make_unique<PahoConnector>(std::move(settings), std::move(*password)));
}

}  // namespace metergate
