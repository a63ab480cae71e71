#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/clock.h"

namespace metergate {

/// RFC 3339 UTC with milliseconds, `2026-11-22T10:00:30.000Z`.
std::string rfc3339(UtcTime t);
/// Any RFC 3339 time (offset allowed, fraction optional, cut to milliseconds); nothing when it is none.
/// How far this machine's zone is ahead of UTC at that time.
Millis zone_offset(UtcTime t);
std::optional<UtcTime> parse_rfc3339(std::string_view text);

}  // namespace metergate
