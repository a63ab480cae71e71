#pragma once

#include <optional>
#include <string>

#include "tests/sim/frame.h"

namespace metersim {

/// A DL/T 645 frame, without the FEs before it. An encoder of its own, which shares nothing with the product's.
struct ItemFrame {
  std::string address;  ///< 12 characters, high digits first; A in a wildcard
  std::uint8_t control = 0;
  Bytes data;  ///< plain, without 33H
};

/// The request that ends with the last of these bytes, if one does.
std::optional<ItemFrame> request_at_end(const Bytes& heard);
Bytes item_frame_bytes(const ItemFrame& frame, int preamble);

/// Low byte first. Digits beyond the bytes are lost.
Bytes bcd_bytes(std::int64_t number, int count);

}  // namespace metersim
