#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace metergate {

/// FNV-1a with 32 bits, as 8 hex digits. Tells texts apart that nobody tries to make alike.
inline std::string fnv1a_hex(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[hash >> shift & 15u];
  return digits;
}

}  // namespace metergate
