#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/cli/bus_reader.h"
#include "agent/cli/read_hints.h"
#include "agent/config/site.h"
#include "agent/protocol/codec.h"

namespace metergate {

/// A bus whose meters are read once now, each with one poll: its own points, or all of the profile.
struct ReadTarget {
  explicit ReadTarget(const BusConfig& bus);
  BusConfig config;  ///< polls[i] is that of meters[i]
};

/// The answer of one request, tried `tries` times while another try may help. All tries count in `symptoms`, and their
/// time in the answer.
BusReader::Answer request(BusReader& line, const Target& target, const Block& block, int tries, Symptoms& symptoms);

/// One reading. After a first request without any valid frame the others are not asked. `last` is the last failure.
struct MeterReading {
  Reading reading;
  std::optional<Error> last;
  RegisterImage image;
  Micros took{0};  ///< by the transactions
  Symptoms symptoms;
};
MeterReading read_meter(BusReader& line, const ReadTarget& target, std::size_t meter, const Clock& clock);

/// Why a port cannot be used, with what usually is the cause.
std::string explain_port(const BusSpec& bus, const Error& error);
/// Why a meter gives no reading: port, unit, timeout, and what usually is the cause.
std::string explain_silence(const BusSpec& bus, const MeterConfig& meter, const Error& error, const Symptoms& symptoms);

}  // namespace metergate
