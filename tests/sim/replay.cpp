#include "tests/sim/replay.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "agent/base/hex.h"
#include "agent/base/json.h"
#include "tests/sim/text.h"

namespace metersim {
namespace {

constexpr std::size_t kMbapHeader = 7, kUnitAt = 6;

std::string text_of(const metergate::Json& frame, const char* name) {
  const metergate::Json* member = frame.find(name);
  return member != nullptr ? member->text : "";
}

/// Of `2026-11-22T10:00:30.123456Z`, within its day.
Nanos time_of(const std::string& at) {
  int hour = 0, minute = 0;
  double second = 0;
  if (at.size() < 12 || std::sscanf(at.c_str() + 11, "%d:%d:%lf", &hour, &minute, &second) != 3) return 0;
  return (hour * 3600LL + minute * 60LL) * kSecond + static_cast<Nanos>(second * static_cast<double>(kSecond));
}

Bytes key_of(int unit, const Bytes& pdu) {
  Bytes key{static_cast<std::uint8_t>(unit)};
  key.insert(key.end(), pdu.begin(), pdu.end());
  return key;
}

/// Without header or check sum.
Bytes pdu_of(const Bytes& bytes, bool tcp) {
  if (tcp) return bytes.size() > kMbapHeader ? Bytes(bytes.begin() + kMbapHeader, bytes.end()) : Bytes();
  return bytes.size() > 3 ? Bytes(bytes.begin() + 1, bytes.end() - 2) : Bytes();
}

}  // namespace

Replay::Replay(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Refused("--replay '" + path + "': cannot be read");
  Heard* open = nullptr;
  Nanos asked = 0;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const auto frame = metergate::parse_json(line);
    const auto bytes = frame ? metergate::parse_hex(text_of(*frame, "bytes")) : std::nullopt;
    const bool tcp = frame && text_of(*frame, "protocol") == "modbus-tcp";
    const bool rtu = frame && text_of(*frame, "protocol") == "modbus-rtu";
    if (!bytes || (!tcp && !rtu)) {
      throw Refused("--replay '" + path + "' line " + std::to_string(number) +
                    ": is no frame of Modbus; metergate trace BUS --format jsonl writes them");
    }
    const Nanos at = time_of(text_of(*frame, "at"));
    if (text_of(*frame, "dir") == "out") {
      const Bytes pdu = pdu_of(*bytes, tcp);
      if (pdu.empty()) continue;
      auto& heard = requests_[key_of(tcp ? (*bytes)[kUnitAt] : (*bytes)[0], pdu)].heard;
      open = &heard.emplace_back();
      asked = at;
      continue;
    }
    if (open == nullptr) continue;  // it answers what is older than the trace
    if (open->bytes.empty()) open->turn = at >= asked ? at - asked : at - asked + 86'400 * kSecond;
    open->bytes.insert(open->bytes.end(), bytes->begin(), bytes->end());
    if (text_of(*frame, "verdict") != "noise") open->pdu = pdu_of(*bytes, tcp);
  }
  if (requests_.empty()) throw Refused("--replay '" + path + "': there is no request in it");
}

const Replay::Heard* Replay::next(int unit, const Bytes& pdu) {
  const auto found = requests_.find(key_of(unit, pdu));
  if (found == requests_.end()) return nullptr;
  Past& past = found->second;
  const Heard& heard = past.heard[std::min(past.given, past.heard.size() - 1)];
  ++past.given;
  return &heard;
}

}  // namespace metersim
