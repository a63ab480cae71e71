#include "agent/uplink/link_check.h"

#include <csignal>
#include <optional>
#include <utility>

#include "agent/base/text.h"
#include "agent/uplink/broker_probe.h"
#include "agent/uplink/mqtt_packet.h"
#include "agent/uplink/tcp_connect.h"
#include "agent/uplink/tls_stream.h"

namespace metergate {

namespace {

constexpr Millis kLookupPatience{5'000};
constexpr Millis kConnectPatience{10'000};
constexpr Millis kRefusalPatience{2'000};
constexpr Millis kGoodbye{1'000};  // for the broker to end the connection after the DISCONNECT

/// One connection of a check, from its connect to its end.
class Exchange {
 public:
  Exchange(const LinkCheck& check, TlsPeer* peer, LinkReport& link) : check_(check), peer_(peer), link_(link) {}

  /// Up to the CONNACK. Errors: those of the agent, with the address.
  Status connect(bool clean_session) {
    const MonoTime begin = check_.clock->mono();
    auto socket = connect_tcp(link_.address, link_.port, kConnectPatience);
    if (!socket) return told(socket.error().detail);
    link_.tcp = true;
    link_.tcp_time = std::chrono::duration_cast<Micros>(check_.clock->mono() - begin);
    const MonoTime until = patience();
    if (peer_ == nullptr) {
      stream_ = make_plain_stream(std::move(*socket), *check_.clock);
    } else {
      peer_->expect(link_.name);
      auto stream = make_tls_stream(std::move(*socket), check_.options, *peer_, until, *check_.clock);
      if (!stream) return lost(stream.error());
      stream_ = std::move(*stream);
      link_.tls = peer_->facts();
    }
    ConnectPacket connect;
    connect.client_id = check_.options.client_id;
    connect.username = check_.options.username;
    connect.password = check_.password;
    connect.keep_alive = check_.options.keep_alive;
    connect.clean_session = clean_session;
    const auto answer = ask(encode(connect), Packet::Type::kConnack, until);
    if (!answer) return lost(answer.error());
    const auto connack = parse_connack(*answer);
    if (!connack) return told("what it answers is not MQTT 3.1.1");
    if (connack->code == 0) {
      session_present_ = connack->session_present;
      return {};
    }
    const std::string why = connack_text(connack->code);
    return told(why.empty() ? "the broker refuses the connection with code " + std::to_string(connack->code) : why);
  }
  bool session_present() const { return session_present_; }

  /// Whether the broker grants it.
  Result<bool> subscribe(const std::string& topic) {
    const auto answer = ask(subscribe_packet(++last_id_, topic), Packet::Type::kSuback, patience());
    if (!answer) {
      return Error{answer.error().code, at() + (answer.error().code == Errc::kTimeout
                                                    ? ": the broker does not answer to the subscription of " + topic
                                                    : ": the broker ends the connection at the subscription of " +
                                                          topic + "; its access rules have to let this user read it")};
    }
    const auto suback = parse_suback(*answer);
    if (!suback || suback->id != last_id_) return told("its SUBACK is not as MQTT 3.1.1 has it").error();
    return suback->code != kSubackFailure;
  }

  Status ping() {
    const MonoTime begin = check_.clock->mono();
    const auto answer = ask(ping_packet(), Packet::Type::kPingresp, patience());
    if (!answer) return told("the broker does not answer to a PINGREQ");
    link_.round_trip = std::chrono::duration_cast<Micros>(check_.clock->mono() - begin);
    return {};
  }

  /// Waits until the broker has ended the connection, so that the next one takes nothing over.
  void disconnect() {
    const MonoTime until = check_.clock->mono() + kGoodbye;
    if (stream_ == nullptr || !stream_->write(disconnect_packet(), until)) return;
    while (stream_->read(until)) {
    }
  }

 private:
  std::string at() const { return host_port(link_.address, link_.port); }
  MonoTime patience() const { return check_.clock->mono() + kAnswerPatience; }
  Status told(const std::string& why) const { return Error{Errc::kOffline, at() + ": " + why}; }

  /// Before the CONNACK it may be somebody who does not speak as we do.
  Status lost(const Error& error) {
    if (error.code == Errc::kInvalid) return error;
    const bool tls = peer_ != nullptr;
    if (tls && stream_ != nullptr && error.code == Errc::kBusDown) await_refusal();
    if (const auto refusal = tls ? peer_->refusal() : std::nullopt) return told(*refusal);
    if (tls && error.code == Errc::kTimeout) return told("it takes the connection and does not answer");
    if (tls && error.code == Errc::kGarbled) return told(error.detail);
    if (tls && stream_ != nullptr) return told(kEndsAfterHandshake);
    return told(probe_broker(link_.address, link_.port, tls, kProbePatience));
  }

  /// In TLS 1.3 the server judges our certificate after our handshake. Its alert is lost if it then ends a connection
  /// on which our CONNECT has come. So it gets a handshake without one.
  void await_refusal() {
    auto socket = connect_tcp(link_.address, link_.port, kConnectPatience);
    if (!socket) return;
    peer_->expect(link_.name);
    const auto stream = make_tls_stream(std::move(*socket), check_.options, *peer_, patience(), *check_.clock);
    const MonoTime until = check_.clock->mono() + kRefusalPatience;
    while (stream && (*stream)->read(until)) {
    }
  }

  /// The first packet of that type. What the broker sends of its own is counted and left alone.
  Result<Packet> ask(const std::string& packet, Packet::Type wanted, MonoTime until) {
    const Status sent = stream_->write(packet, until);
    if (!sent) return sent.error();
    std::optional<Packet> answer;
    while (!answer) {
      const auto bytes = stream_->read(until);
      if (!bytes) return bytes.error();
      auto packets = reader_.take(*bytes);
      if (!packets) return packets.error();
      for (Packet& each : *packets) {
        if (each.type == wanted && !answer) answer = std::move(each);
        const auto topic = topic_of(each);
        if (topic && *topic == check_.topics.front() && !each.retained) ++link_.waiting;
      }
    }
    return *answer;
  }

  const LinkCheck& check_;
  TlsPeer* const peer_;
  LinkReport& link_;
  std::unique_ptr<ByteStream> stream_;
  PacketReader reader_;
  std::uint16_t last_id_ = 0;
  bool session_present_ = false;
};

/// One topic a packet: a broker that ends the connection at a refused one shows in this way which it was. RabbitMQ 3.10
/// does so at once, 4.0 refuses by SUBACK and ends the connection at the next one.
Status subscribe_to_all(Exchange& exchange, const LinkCheck& check, LinkReport& link) {
  std::vector<std::string> asked, refused;
  for (const std::string& topic : check.topics) {
    const auto granted = exchange.subscribe(topic);
    if (!granted) return granted.error();
    asked.push_back(topic);
    if (!*granted) refused.push_back(topic);
    note_subscriptions(link, asked, refused);
  }
  return {};
}

/// A clean session takes the place of the one that is there, and goes with its connection (MQTT 3.1.1, 3.1.2.4).
Status remove_session(const LinkCheck& check, TlsPeer* peer, const LinkReport& link) {
  LinkReport second = link;
  Exchange exchange(check, peer, second);
  const Status connected = exchange.connect(true);
  exchange.disconnect();
  return connected;
}

LinkReport check_link(const BrokerAddresses::Place& place, const LinkCheck& check, TlsPeer* peer) {
  LinkReport link;
  link.name = place.host;
  link.port = place.port;
  link.address = place.address;
  Exchange exchange(check, peer, link);
  Status done = exchange.connect(false);
  const bool connected = static_cast<bool>(done);
  if (connected) {
    link.session_present = exchange.session_present();
    done = subscribe_to_all(exchange, check, link);
  }
  if (done) done = exchange.ping();
  exchange.disconnect();
  if (!done) link.error += (link.error.empty() ? "" : "; then ") + done.error().detail;
  // A command that came into the new session would go with it; it is worth more than the word of the loss.
  if (connected && !exchange.session_present() && check.session_known && link.waiting == 0) {
    const Status removed = remove_session(check, peer, link);
    if (!removed && link.error.empty()) link.error = removed.error().detail;
  }
  return link;
}

}  // namespace

LinkReports check_links(const LinkCheck& check) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  std::optional<TlsPeer> peer;
  if (check.options.tls) peer.emplace();
  LinkReports links;
  for (const Endpoint& node : check.options.brokers) {
    const auto addresses = check.resolve(node.host, kLookupPatience);
    if (!addresses) {
      LinkReport link;
      link.name = node.host;
      link.port = node.port;
      link.error = addresses.error().detail;
      links.push_back(std::move(link));
      continue;
    }
    for (const std::string& address : *addresses) {
      links.push_back(check_link({node.host, address, node.port}, check, peer ? &*peer : nullptr));
    }
  }
  return links;
}

}  // namespace metergate
