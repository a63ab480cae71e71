#pragma once

#include <string>

#include "drivers/bus.h"

namespace metergate {

/// Manuals often count registers from 1 and put the table in front: 40001 is holding 0, 30001 input 0, 10001 discrete
/// 0. The sentence that says so where `address` looks like such a number; empty elsewhere.
std::string manual_notation(Table table, int address);

}  // namespace metergate
