#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace metergate {

/// RFC 4648, section 4, with padding.
std::string to_base64(std::string_view bytes);
/// Nothing when it is none; no blanks, padding is needed.
std::optional<std::string> parse_base64(std::string_view text);

}  // namespace metergate
