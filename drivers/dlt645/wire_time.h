#pragma once

#include <cstddef>

#include "drivers/bus.h"

namespace metergate {

// What DL/T 645 frames take on a serial line, without the meter's own delay; zero where `line` is null: a socket.

/// An answer with so many bytes of data, the item's identifier among them, and four FEs.
Nanos answer_time(const LineMode* line, std::size_t data);
/// A request of so many bytes and such an answer.
Nanos frames_time(const LineMode* line, std::size_t request, std::size_t data);
/// Reading a data item: request and answer.
Micros dlt645_wire_time(const BusSettings& settings, const Target& target, const Block& block);

}  // namespace metergate
