#pragma once

#include "agent/base/result.h"

namespace metergate {

/// What an Error of Bus::read() and Bus::write() tells the one who asked. Exceptions: Modbus Application Protocol
/// V1.1b3, section 7.
constexpr int kIllegalAddress = 2;
constexpr int kIllegalValue = 3;
constexpr int kAcknowledge = 5;  ///< the meter took the request and needs longer
constexpr int kDeviceBusy = 6;

/// Timeout, crc or garbled: no valid frame came. A read is worth asking again at once.
inline bool no_valid_frame(const Error& error) {
  return error.code == Errc::kTimeout || error.code == Errc::kCrc || error.code == Errc::kGarbled;
}

/// Passes by itself: no valid frame, or the meter is busy. Worth asking again later.
inline bool passing(const Error& error) {
  return no_valid_frame(error) ||
         (error.code == Errc::kException && (error.exception == kAcknowledge || error.exception == kDeviceBusy));
}

/// Exception 2 or 3: a part of the block may be at fault for it.
inline bool refused_block(const Error& error) {
  return error.code == Errc::kException && (error.exception == kIllegalAddress || error.exception == kIllegalValue);
}

/// A valid frame came from the meter itself, an exception.
inline bool from_meter(const Error& error) { return error.code == Errc::kException; }

}  // namespace metergate
