#pragma once

#include <string>

#include "agent/config/options.h"
#include "drivers/bus.h"

namespace metergate {

/// `/dev/ttyS1 9600 8E1`, `10.0.0.7:502`, `10.0.0.9:4001 (RTU over TCP)`.
std::string describe_port(const BusSettings& settings);
/// The same with the meter's own baud and mode.
std::string describe_port(const BusSettings& settings, const Target& target);
std::string mode_name(const LineMode& line);      ///< `8E1`
std::string describe_line(const LineMode& line);  ///< `9600 8E1`
/// What tells one port from another: the device, or host and port.
std::string port_key(const BusSettings& settings);
/// A key by which two names of one device are equal: its links are followed, as far as they are there.
std::string real_port(const std::string& key);

/// `unit 7`, `address 000000000161`.
std::string describe_place(const MeterSpec& meter);

const char* table_name(Table table);
/// `holding 0 to 33`, `di 0001FF00, 20 bytes`.
std::string describe_block(const Block& block);

}  // namespace metergate
