#pragma once

#include <string>
#include <string_view>

#include "drivers/profile/profile.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

/// As the standard prints it, `00010000`. Errors: kInvalid.
Result<Block> parse_item(std::string_view text, Family family);

/// For a data item, what the keys of key_setters.h with the same end do for registers.
Status set_item_form(const std::string& text, Point* point);
Status set_item_parts(const std::string& text, Point* point);
/// Whether the keys of a point of a data item, all set, go together.
Status check_item(const Point& point);

}  // namespace metergate
