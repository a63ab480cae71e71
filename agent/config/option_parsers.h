#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

/// Parsers of options with a form of their own. Errors: kInvalid with the offending text and what would be right.
Result<std::string> parse_gateway_id(const std::string& value);
Result<std::string> parse_client_id(const std::string& value);
Result<std::string> parse_topic_prefix(const std::string& value);
Result<Millis> parse_keep_alive(const std::string& value);  ///< whole seconds in 16 bits, as MQTT carries it
Result<Block> parse_data_item(const std::string& value);    ///< `00010000`, `9010`
Result<std::int64_t> parse_register_address(const std::string& value);  ///< decimal or 0x
Result<std::vector<int>> parse_units(const std::string& value);         ///< `1-32,40`: each once, in order, 0 to 255
Result<std::vector<int>> parse_bauds(const std::string& value);         ///< `9600,19200`
Result<std::vector<std::string>> parse_protocols(const std::string& value);  ///< `modbus,dlt645`
Result<std::vector<std::string>> parse_modes(const std::string& value);      ///< `8N1,8E1`

}  // namespace metergate
