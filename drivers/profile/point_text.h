#pragma once

#include <optional>
#include <string>

#include "drivers/profile/profile.h"

namespace metergate {

/// Bytes from a meter as text for JSON: from the first that is no NUL or blank to the next NUL, without blanks and 0xFF
/// (memory never written) at the end, U+FFFD for control characters and bytes that are no UTF-8.
std::string printable_text(const std::string& bytes);

/// RFC 3339 with seconds, of `unix` with Z, else without a zone; a year under 100 is of this century. Nothing when it
/// is no time.
std::optional<std::string> time_text(TimeForm form, const std::string& bytes);

}  // namespace metergate
