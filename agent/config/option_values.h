#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// Values of single options whose form is their own. Errors: kInvalid with the offending text and what would be right.
Result<std::string> parse_gateway_id(const std::string& value);
Result<std::string> parse_client_id(const std::string& value);
Result<std::string> parse_topic_prefix(const std::string& value);
Result<Millis> parse_keep_alive(const std::string& value);  ///< whole seconds in 16 bits, as MQTT carries it
Result<std::int64_t> parse_register_address(const std::string& value);  ///< decimal or 0x

}  // namespace metergate
