#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace metersim {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::size_t kMaxRtuFrame = 256;
inline constexpr std::size_t kMbapHeader = 7;

/// CRC-16/MODBUS.
std::uint16_t crc16(const Bytes& data, std::size_t size);
Bytes rtu_frame(std::uint8_t unit, const Bytes& pdu);
/// Long enough and the CRC fits.
bool rtu_valid(const Bytes& frame);
Bytes mbap_frame(std::uint16_t transaction, std::uint8_t unit, const Bytes& pdu);

Bytes exception_pdu(std::uint8_t function, std::uint8_t code);
/// Big endian, as every Modbus field.
std::uint16_t word_at(const Bytes& data, std::size_t at);
void append_word(Bytes& data, std::uint16_t word);

}  // namespace metersim
