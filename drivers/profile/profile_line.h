#pragma once

#include <string>
#include <string_view>

#include "drivers/profile/profile.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

// One line of a profile, without what only the whole profile can tell. Errors: kInvalid with `'offending': what would
// be right`.

/// What stands behind `NAME =` under [points]; `order` where the line gives none.
Result<Point> parse_point(const std::string& name, std::string_view text, WordOrder order,
                          Family family = Family::kModbus);

/// What stands behind `identify =`: TABLE ADDRESS TYPE VALUE.
Result<Identify> parse_identify(std::string_view text, WordOrder order);

Result<WordOrder> parse_order(std::string_view text);

/// How a type is called in a profile.
std::string type_name(PointType type);

}  // namespace metergate
