#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// The packets of MQTT 3.1.1 by which a broker is asked and nothing is taken: Paho acknowledges whatever it receives,
/// so it cannot look into a session and leave the messages there. Sections are those of the standard (OASIS, 2014).

/// What a CONNACK with this return code means, with the flags to look at; empty for 0 and for unknown codes
/// (table 3.1).
std::string connack_text(int code);
constexpr int kSubackFailure = 0x80;  ///< 3.9.3

/// What a CONNECT of 3.1 holds, without a will: whoever goes without a word leaves nothing behind.
struct ConnectPacket {
  std::string client_id;
  std::string username, password;  ///< empty: left out
  Millis keep_alive{0};
  bool clean_session = false;
};
std::string encode(const ConnectPacket& connect);
/// QoS 1 for one topic (3.8).
std::string subscribe_packet(std::uint16_t id, const std::string& topic);
std::string ping_packet();        ///< PINGREQ (3.12)
std::string disconnect_packet();  ///< 3.14

/// A packet from the broker.
struct Packet {
  enum class Type { kConnack = 2, kPublish = 3, kSuback = 9, kPingresp = 13, kOther = 0 };
  Type type = Type::kOther;
  bool retained = false;  ///< of a PUBLISH
  std::string body;       ///< what follows the fixed header; of a large packet its beginning
};

/// Cuts a stream into packets. Pure; holds at most kKept bytes of a packet, whatever length it claims.
class PacketReader {
 public:
  static constexpr std::size_t kKept = 1 << 10;

  /// The packets that these bytes complete. Errors: kGarbled (no broker sends this); the reader is then of no use any
  /// more.
  Result<std::vector<Packet>> take(std::string_view bytes);

 private:
  enum class State { kType, kLength, kBody };
  bool begin(unsigned char byte);
  State state_ = State::kType;
  Packet packet_;
  std::size_t left_ = 0;  // of the body
  int shift_ = 0;         // of the next byte of the length
};

struct Connack {
  bool session_present = false;
  int code = 0;  ///< 0: accepted
};
/// Nothing: not as the standard has it (3.2, 3.9, 3.3).
std::optional<Connack> parse_connack(const Packet& packet);
struct Suback {
  std::uint16_t id = 0;
  int code = 0;  ///< the granted QoS or kSubackFailure, for one topic
};
std::optional<Suback> parse_suback(const Packet& packet);
/// The topic of a PUBLISH, if it is among the bytes that were kept.
std::optional<std::string_view> topic_of(const Packet& packet);

}  // namespace metergate
