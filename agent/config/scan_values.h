#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

/// Values of scan's options. Errors: kInvalid with the offending text and what would be right.

/// `1-32,40`: each once, in order, 0 to 255.
Result<std::vector<int>> parse_units(const std::string& value);
Result<std::vector<int>> parse_bauds(const std::string& value);          ///< `9600,19200`
Result<std::vector<std::string>> parse_modes(const std::string& value);  ///< `8N1,8E1`

/// `8E1` into a line's parity and stop bits; one of known_modes().
void set_mode(const std::string& mode, SerialSettings* serial);

}  // namespace metergate
