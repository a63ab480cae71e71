#pragma once

#include "agent/base/result.h"
#include "drivers/bus.h"
#include "drivers/profile/decode.h"

namespace metergate {

/// A value to write, as JSON gave it: a number, or the name of an enum's value (its number will do). Exact: 0.07 at
/// scale 0.01 sends 7, and what is sent decodes to `value` again, or nothing is sent.
/// Errors: kInvalid with `'value': what would be right` (no such name, outside min, max or allow, a fraction below the
/// scale, does not fit the type, not writable, no ratio known).
/// A relay takes the name of an order, a clock a time or "now".
Result<Write> encode(const Profile& profile, const Point& point, const Value& value, const Ratios& ratios);

/// What a relay shows once it has obeyed (0: closed); nothing where that is not known.
std::optional<Value> shown_after(const Write& write);

}  // namespace metergate
