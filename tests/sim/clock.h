#pragma once

#include <cstdint>

namespace metersim {

/// Nanoseconds: of CLOCK_MONOTONIC where a point in time is meant.
using Nanos = std::int64_t;

inline constexpr Nanos kMicrosecond = 1000;
inline constexpr Nanos kMillisecond = 1000 * kMicrosecond;
inline constexpr Nanos kSecond = 1000 * kMillisecond;

Nanos monotonic_now();
Nanos wall_now();  ///< CLOCK_REALTIME, since 1970

}  // namespace metersim
