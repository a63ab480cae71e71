#pragma once

#include <string>

#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

/// A file of one line, `LEVEL PASSWORD [OPERATOR]`: a digit or two, 6 digits, 8 digits (00000000 without them). Nobody
/// but its owner may read it. Errors: kInvalid, which never shows what is in the file.
Result<Password> read_password(const std::string& path);

}  // namespace metergate
