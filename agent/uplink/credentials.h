#pragma once

#include <string>

#include "agent/base/result.h"
#include "agent/config/options.h"

namespace metergate {

/// The password of --password-file, empty without one. Looks also whether user name and password fit into MQTT, and
/// whether the files of certificates can be used. Errors: kInvalid naming flag and file (exit 78).
Result<std::string> read_credentials(const UplinkOptions& options);

}  // namespace metergate
