#pragma once

#include <string>

#include "agent/base/result.h"

namespace metergate {

/// What an Error of Bus::read() and Bus::write() tells the one who asked. Exceptions: Modbus Application Protocol
/// V1.1b3, section 7.
constexpr int kIllegalAddress = 2;
constexpr int kIllegalValue = 3;
constexpr int kAcknowledge = 5;  ///< the meter took the request and needs longer
constexpr int kDeviceBusy = 6;
constexpr int kGatewayNoPath = 10;    ///< a gateway's: it has no way to the meter, and sent nothing
constexpr int kGatewayNoAnswer = 11;  ///< a gateway's: the meter did not answer it

/// What a meter of data items answers instead of a value: an exception of this and the bits of its error word (DL/T
/// 645-2007: 0 other, 1 no such data, 2 wrong password or not authorised, 3 and above: what cannot be set).
constexpr int kErrorWord = 0x100;
constexpr int kNoDataBit = 0x02, kNotAuthorisedBit = 0x04;
constexpr int kLastException = 0x1FF;

/// The code of an exception in a record: `exception_2`, `no_data`.
inline std::string exception_code(int exception) {
  if (exception < kErrorWord) return "exception_" + std::to_string(exception);
  if ((exception & kNotAuthorisedBit) != 0) return "not_authorised";
  return (exception & kNoDataBit) != 0 ? "no_data" : "refused";
}

/// Timeout, crc or garbled: no valid frame came. A read is worth asking again at once.
inline bool no_valid_frame(const Error& error) {
  return error.code == Errc::kTimeout || error.code == Errc::kCrc || error.code == Errc::kGarbled;
}

/// No valid frame came, or the connection broke off. A read is worth asking again at once, on a new connection.
inline bool worth_a_retry(const Error& error) { return no_valid_frame(error) || error.code == Errc::kBusDown; }

/// Passes by itself: no valid frame, or the meter is busy. Worth asking again later.
inline bool passing(const Error& error) {
  return no_valid_frame(error) ||
         (error.code == Errc::kException && (error.exception == kAcknowledge || error.exception == kDeviceBusy));
}

/// Worth another try in the slot of a poll: it passes by itself, or the connection broke off.
inline bool another_try(const Error& error) { return passing(error) || error.code == Errc::kBusDown; }

/// Exception 2 or 3, or an error word: a part of the block may be at fault for it.
inline bool refused_block(const Error& error) {
  return error.code == Errc::kException &&
         (error.exception == kIllegalAddress || error.exception == kIllegalValue || error.exception >= kErrorWord);
}

/// A gateway's word that the meter does not answer.
inline bool from_gateway(const Error& error) {
  return error.code == Errc::kException && (error.exception == kGatewayNoPath || error.exception == kGatewayNoAnswer);
}

/// A valid frame came from the meter itself, an exception: it lives.
inline bool from_meter(const Error& error) { return error.code == Errc::kException && !from_gateway(error); }

}  // namespace metergate
