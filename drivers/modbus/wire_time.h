#pragma once

#include <cstddef>

#include "drivers/bus.h"
#include "drivers/modbus/pdu.h"

namespace metergate {

// What frames take on a serial line, without the meter's own delay; zero where `line` is null: a socket.

/// The characters of a request and of an answer whose PDU has so many bytes.
Nanos frames_time(const LineMode* line, const Request& request, std::size_t answer_size);
/// A request, the answer that it asks for, and t3.5 once.
Nanos wire_time(const LineMode* line, const Request& request);

Micros wire_time(const BusSettings& settings, const Target& target, const Block& block);

}  // namespace metergate
