#include "tests/sim/frame.h"

namespace metersim {

std::uint16_t crc16(const Bytes& data, std::size_t size) {
  unsigned crc = 0xFFFF;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0xA001U : crc >> 1U;
  }
  return static_cast<std::uint16_t>(crc);
}

Bytes rtu_frame(std::uint8_t unit, const Bytes& pdu) {
  Bytes frame{unit};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  const unsigned crc = crc16(frame, frame.size());
  frame.push_back(static_cast<std::uint8_t>(crc & 0xFFU));  // the CRC alone goes low byte first
  frame.push_back(static_cast<std::uint8_t>(crc >> 8U));
  return frame;
}

bool rtu_valid(const Bytes& frame) {
  if (frame.size() < 4 || frame.size() > kMaxRtuFrame) return false;
  const unsigned crc = crc16(frame, frame.size() - 2);
  return frame[frame.size() - 2] == (crc & 0xFFU) && frame.back() == crc >> 8U;
}

Bytes mbap_frame(std::uint16_t transaction, std::uint8_t unit, const Bytes& pdu) {
  Bytes frame;
  append_word(frame, transaction);
  append_word(frame, 0);
  append_word(frame, static_cast<std::uint16_t>(pdu.size() + 1));
  frame.push_back(unit);
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  return frame;
}

Bytes exception_pdu(std::uint8_t function, std::uint8_t code) {
  return {static_cast<std::uint8_t>(function | 0x80U), code};
}

std::uint16_t word_at(const Bytes& data, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(data[at]) << 8U | data[at + 1]);
}

void append_word(Bytes& data, std::uint16_t word) {
  data.push_back(static_cast<std::uint8_t>(word >> 8U));
  data.push_back(static_cast<std::uint8_t>(word & 0xFFU));
}

}  // namespace metersim
