#pragma once

#include <cstddef>
#include <string_view>

namespace metergate {

/// Bytes of the well-formed UTF-8 character (RFC 3629) that starts at `i`, 0 if none does.
std::size_t utf8_length(std::string_view text, std::size_t i);

bool is_utf8(std::string_view text);

}  // namespace metergate
