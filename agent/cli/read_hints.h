#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config/site.h"
#include "agent/protocol/codec.h"

namespace metergate {

enum class LinkKind {
  kSerial,        ///< a serial line of this machine
  kSerialServer,  ///< a serial line behind a socket, which somebody else set
  kTcp            ///< Modbus TCP
};
LinkKind link_of(const BusSettings& settings);

/// What was seen of one meter.
struct Symptoms {
  std::int64_t requests = 0, answers = 0, timeouts = 0, crc = 0, garbled = 0, exceptions = 0, bus_down = 0;
  int exception = 0;  ///< the last one
  Block refused;      ///< what it answered
  LinkKind link = LinkKind::kSerial;
  bool items = false;                 ///< it was asked for data items (DL/T 645)
  bool raw = false;                   ///< registers were requested by their address, not by a profile
  std::optional<bool> others_answer;  ///< other meters of the bus; nothing: none was asked
  std::string order;                  ///< not empty: the values make sense with this word order only

  std::int64_t errors() const { return requests - answers; }
  void count(const Result<Words>& words, const Block& block);
};

/// What usually is the cause, the likeliest first, each with what to do. Empty when nothing is wrong.
std::vector<std::string> hints_for(const Symptoms& symptoms);

/// `order=CDAB` when half of the values that take more than one register make no sense as they are (a voltage of 1e-23)
/// and all do with their registers in that order; else empty.
std::string better_order(const MeterConfig& meter, const std::vector<const Point*>& points, const RegisterImage& image);

}  // namespace metergate
