#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/exact.h"
#include "tests/sim/profile_file.h"

namespace metersim {

/// What a point's registers hold at one moment, and what that means.
struct Field {
  struct Register {
    std::uint16_t address = 0;
    std::uint16_t value = 0;
    std::uint16_t mask = 0xFFFF;  ///< several points may share a register
  };
  std::vector<Register> registers;
  std::string json;  ///< the point's value as JSON, before any transformer ratio
};

/// Whole numbers that fit the point's type.
struct Span {
  std::int64_t least, most;
};
Span span_of(const FilePoint& point);

/// These set the registers; `json` is the caller's. `raw` must lie in span_of().
Field encode_whole(const FilePoint& point, std::int64_t raw);
/// `stored` becomes the decimal that reads back as the float, in the fewest digits.
Field encode_float(const FilePoint& point, double value, Exact& stored);

/// These set `json` too. Time is in seconds since 1970.
Field encode_string(const FilePoint& point, std::string text);
Field encode_time(const FilePoint& point, double seconds);

}  // namespace metersim
