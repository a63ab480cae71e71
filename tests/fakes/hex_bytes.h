#pragma once

#include <sstream>
#include <string>

#include "drivers/port/port.h"

namespace metergate {

/// `68 AA 16` as bytes.
inline Bytes hex_bytes(const std::string& text) {
  std::istringstream words(text);
  Bytes bytes;
  for (std::string word; words >> word;) bytes.push_back(static_cast<std::uint8_t>(std::stoi(word, nullptr, 16)));
  return bytes;
}

}  // namespace metergate
