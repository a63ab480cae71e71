#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace metergate {

/// A capture file for Wireshark (IETF draft-ietf-opsawg-pcapng). Its link type is WIRESHARK_UPPER_PDU (252): each
/// packet names the dissector of its bytes, so frames of a serial line are decoded without an invented network around
/// them. (Wireshark wiki, Protocols/exported_pdu; wsutil/exported_pdu_tlvs.h.)

/// What the file begins with: one interface, called `name`.
std::string pcapng_head(const std::string& name);

struct CapturedFrame {
  std::int64_t at_us = 0;  ///< since 1970
  bool sent = false;
  std::string dissector;  ///< `mbrtu`, `mbtcp`, `data`
  std::vector<std::uint8_t> bytes;
  std::size_t length = 0;  ///< of the whole frame, at least that of `bytes`
  std::string comment;
};
std::string pcapng_packet(const CapturedFrame& frame);

}  // namespace metergate
