#include "agent/uplink/mqtt_packet.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

constexpr unsigned kConnect = 0x10, kSubscribe = 0x82, kPing = 0xC0, kDisconnect = 0xE0;  // with their flags (2.2)
constexpr unsigned kProtocolLevel = 4;
constexpr unsigned kCleanSession = 0x02, kPassword = 0x40, kUsername = 0x80;  // 3.1.2.3
constexpr unsigned kQos = 1;
constexpr int kMostLengthBits = 28;  // 2.2.3: four bytes of seven bits
// What a broker may send: CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP.
constexpr unsigned kFromBroker =
    1U << 2 | 1U << 3 | 1U << 4 | 1U << 5 | 1U << 6 | 1U << 7 | 1U << 9 | 1U << 11 | 1U << 13;

char byte(std::size_t value) { return static_cast<char>(static_cast<unsigned char>(value)); }
unsigned at(std::string_view body, std::size_t i) { return static_cast<unsigned char>(body[i]); }

std::string word(std::size_t value) { return {byte(value >> 8), byte(value & 0xff)}; }
std::string text(const std::string& value) { return word(value.size()) + value; }

std::string framed(unsigned head, const std::string& body) {
  std::string out{byte(head)};
  std::size_t left = body.size();
  do {
    const std::size_t digit = left % 128;
    left /= 128;
    out += byte(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return out + body;
}

}  // namespace

std::string connack_text(int code) {
  switch (code) {
    case 1:
      return "the broker does not speak MQTT 3.1.1";
    case 2:
      return "the broker refuses the client id; see --client-id";
    case 3:
      return "the broker says that it is not available";
    case 4:
      return "the broker refuses user name or password; see --username and --password-file";
    case 5:
      return "the broker does not let this client in; see --username, --password-file, --client-id and --cert-file";
    default:
      return {};
  }
}

std::string encode(const ConnectPacket& connect) {
  unsigned flags = connect.clean_session ? kCleanSession : 0;
  std::string payload = text(connect.client_id);
  if (!connect.username.empty()) {
    flags |= kUsername;
    payload += text(connect.username);
    if (!connect.password.empty()) {
      flags |= kPassword;
      payload += text(connect.password);
    }
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(connect.keep_alive).count();
  const std::string head = text("MQTT") + byte(kProtocolLevel) + byte(flags);
  return framed(kConnect, head + word(static_cast<std::size_t>(seconds)) + payload);
}

std::string subscribe_packet(std::uint16_t id, const std::string& topic) {
  return framed(kSubscribe, word(id) + text(topic) + byte(kQos));
}

std::string ping_packet() { return framed(kPing, ""); }
std::string disconnect_packet() { return framed(kDisconnect, ""); }

bool PacketReader::begin(unsigned char byte) {
  const unsigned type = byte >> 4, flags = byte & 0xf;
  if ((kFromBroker >> type & 1U) == 0) return false;
  const unsigned expected = type == 6 ? 2 : 0;  // PUBREL (2.2.2)
  packet_ = {};
  if (type == 3) {
    packet_.type = Packet::Type::kPublish;
    packet_.retained = (flags & 1U) != 0;
    return (flags & 6U) != 6;  // QoS 3
  }
  if (type == 2 || type == 9 || type == 13) packet_.type = static_cast<Packet::Type>(type);
  return flags == expected;
}

Result<std::vector<Packet>> PacketReader::take(std::string_view bytes) {
  std::vector<Packet> whole;
  const auto finish = [&] {
    whole.push_back(std::exchange(packet_, {}));
    state_ = State::kType;
  };
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes.front());
    if (state_ == State::kBody) {
      const std::size_t piece = std::min(left_, bytes.size());
      packet_.body.append(bytes.substr(0, std::min(piece, kKept - packet_.body.size())));
      bytes.remove_prefix(piece);
      left_ -= piece;
      if (left_ == 0) finish();
      continue;
    }
    bytes.remove_prefix(1);
    if (state_ == State::kType) {
      if (!begin(first)) return Error{Errc::kGarbled, "what it answers is not MQTT 3.1.1"};
      state_ = State::kLength;
      left_ = 0;
      shift_ = 0;
      continue;
    }
    left_ |= static_cast<std::size_t>(first & 0x7f) << shift_;
    shift_ += 7;
    if ((first & 0x80) == 0) {
      state_ = State::kBody;
      if (left_ == 0) finish();
    } else if (shift_ >= kMostLengthBits) {
      return Error{Errc::kGarbled, "what it answers is not MQTT 3.1.1: a length of more than four bytes"};
    }
  }
  return whole;
}

std::optional<Connack> parse_connack(const Packet& packet) {
  if (packet.type != Packet::Type::kConnack || packet.body.size() != 2) return std::nullopt;
  return Connack{(at(packet.body, 0) & 1U) != 0, static_cast<int>(at(packet.body, 1))};
}

std::optional<Suback> parse_suback(const Packet& packet) {
  if (packet.type != Packet::Type::kSuback || packet.body.size() != 3) return std::nullopt;
  const unsigned id = at(packet.body, 0) << 8 | at(packet.body, 1);
  return Suback{static_cast<std::uint16_t>(id), static_cast<int>(at(packet.body, 2))};
}

std::optional<std::string_view> topic_of(const Packet& packet) {
  const std::string_view body = packet.body;
  if (packet.type != Packet::Type::kPublish || body.size() < 2) return std::nullopt;
  const std::size_t length = at(body, 0) << 8 | at(body, 1);
  if (body.size() < 2 + length) return std::nullopt;
  return body.substr(2, length);
}

}  // namespace metergate
