#pragma once

#include <map>
#include <string>

#include "drivers/profile/profile.h"

namespace metergate {

using KeyValues = std::map<std::string, std::string>;

/// The keys behind TABLE ADDRESS TYPE, put into `point` in an order in which each can rely on the ones it needs.
/// Errors: kInvalid with `'offending': what would be right`.
Status apply_keys(const KeyValues& keys, Point* point);

}  // namespace metergate
