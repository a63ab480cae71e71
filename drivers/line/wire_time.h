#pragma once

#include "drivers/bus.h"

namespace metergate {

/// What a request and its answer take on a serial line, with the silence that the target's protocol asks for and
/// without the meter's own delay; zero over a socket.
Micros read_time(const BusSettings& settings, const Target& target, const Block& block);

}  // namespace metergate
