#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace metergate {

/// Two small letters or digits a byte, without blanks.
std::string to_hex(const std::uint8_t* bytes, std::size_t size);
/// Nothing when it is none; capital letters are taken, too.
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);

}  // namespace metergate
