#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "drivers/port/port.h"

namespace metergate {

// DL/T 645 frames: FE ... 68 A0..A5 68 C L DATA CS 16. A0 is the low byte of a BCD address; 33H is added to each byte
// of DATA; CS is the sum from the first 68 to the end of DATA. The FEs in front belong to no frame. There is no rule of
// silence: a frame ends by its length.

struct Dlt645Frame {
  static constexpr std::size_t kAddressBytes = 6;
  static constexpr std::size_t kOverhead = 12;  ///< bytes without DATA, FEs apart
  static constexpr std::uint8_t kAnswerBit = 0x80, kErrorBit = 0x40, kMoreBit = 0x20, kFunctionBits = 0x1F;

  std::string address;  ///< 12 characters, the high digits first, A for a wildcard: `000000000161`
  std::uint8_t control = 0;
  Bytes data;  ///< without 33H; at most 255 bytes
  bool is_answer() const { return (control & kAnswerBit) != 0; }
  bool is_error() const { return (control & kErrorBit) != 0; }
  bool says_more() const { return (control & kMoreBit) != 0; }
  std::uint8_t function() const { return control & kFunctionBits; }
};

/// `preamble`: how many FEs stand in front.
Bytes to_bytes(const Dlt645Frame& frame, int preamble = kUsualPreamble);

struct FoundDlt645 {
  Dlt645Frame frame;
  std::size_t begin = 0, end = 0;  ///< in the bytes; `begin` at the first 68
};
/// The first whole frame in the bytes: both 68, check sum, 16 and BCD digits. Noise before it, a broken frame, and a 68
/// that only looks like the begin of one are passed over.
std::optional<FoundDlt645> find_dlt645(const Bytes& bytes);
/// The first that is whole by its length and both 68, whatever its check sum.
std::optional<FoundDlt645> outline_dlt645(const Bytes& bytes);
/// Whether a request to `called`, an address whose high bytes may be AA, is one to this meter.
bool is_called(const std::string& called, const std::string& address);
/// Whether some frame in them was damaged: whole by its length, but not by its check sum.
bool holds_damaged_dlt645(const Bytes& bytes);

}  // namespace metergate
