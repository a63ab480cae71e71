#include "agent/cli/pcapng.h"

namespace metergate {

namespace {

constexpr std::uint32_t kSection = 0x0A0D0D0A, kByteOrder = 0x1A2B3C4D, kVersion = 1, kInterface = 1, kPacket = 6;
constexpr std::uint32_t kUpperPdu = 252;
constexpr std::uint16_t kEnd = 0, kComment = 1, kName = 2, kFlags = 2;
constexpr std::uint32_t kInbound = 1, kOutbound = 2;
constexpr std::uint16_t kDissector = 12, kPortType = 24, kSourcePort = 25, kTargetPort = 26;
constexpr std::uint32_t kTcp = 2, kMeterPort = 502, kOwnPort = 50000;

/// Numbers of the file are in this machine's order as kByteOrder tells; here always the low byte first.
void put16(std::string& to, std::uint32_t value) {
  to += static_cast<char>(value & 0xFF);
  to += static_cast<char>(value >> 8 & 0xFF);
}

void put32(std::string& to, std::uint32_t value) {
  put16(to, value & 0xFFFF);
  put16(to, value >> 16);
}

void pad(std::string& to) { to.append((4 - to.size() % 4) % 4, '\0'); }

void option(std::string& to, std::uint16_t code, const std::string& value) {
  put16(to, code);
  put16(to, static_cast<std::uint32_t>(value.size()));
  to += value;
  pad(to);
}

std::string block(std::uint32_t type, const std::string& body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  std::string out;
  put32(out, type);
  put32(out, length);
  out += body;
  put32(out, length);
  return out;
}

/// The tags before a packet are in network order, whatever the file's.
void tag(std::string& to, std::uint16_t code, std::string value) {
  value.append((4 - value.size() % 4) % 4, '\0');
  to += static_cast<char>(code >> 8);
  to += static_cast<char>(code & 0xFF);
  to += static_cast<char>(value.size() >> 8);
  to += static_cast<char>(value.size() & 0xFF);
  to += value;
}

void tag(std::string& to, std::uint16_t code, std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  tag(to, code, bytes);
}

}  // namespace

std::string pcapng_head(const std::string& name) {
  std::string section;
  put32(section, kByteOrder);
  put16(section, kVersion);
  put16(section, 0);
  section.append(8, '\xFF');  // the length of the section is not told
  std::string interface;
  put16(interface, kUpperPdu);
  put16(interface, 0);
  put32(interface, 0);  // no limit of a packet's length
  option(interface, kName, name);
  option(interface, kEnd, "");
  return block(kSection, section) + block(kInterface, interface);
}

std::string pcapng_packet(const CapturedFrame& frame) {
  std::string data;
  tag(data, kDissector, frame.dissector);
  tag(data, kPortType, kTcp);
  tag(data, kSourcePort, frame.sent ? kOwnPort : kMeterPort);
  tag(data, kTargetPort, frame.sent ? kMeterPort : kOwnPort);
  tag(data, kEnd, std::string());
  const std::size_t tags = data.size();
  data.append(frame.bytes.begin(), frame.bytes.end());

  const auto at = static_cast<std::uint64_t>(frame.at_us);
  std::string body;
  put32(body, 0);
  put32(body, static_cast<std::uint32_t>(at >> 32));
  put32(body, static_cast<std::uint32_t>(at & 0xFFFFFFFF));
  put32(body, static_cast<std::uint32_t>(data.size()));
  put32(body, static_cast<std::uint32_t>(tags + frame.length));
  body += data;
  pad(body);
  std::string flags;
  put32(flags, frame.sent ? kOutbound : kInbound);
  option(body, kFlags, flags);
  option(body, kComment, frame.comment);
  option(body, kEnd, "");
  return block(kPacket, body);
}

}  // namespace metergate
