#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace metergate {

/// A uniform draw from [0, 1). Given by the caller, so that tests are fixed.
using Draw = std::function<double()>;

/// Seeded from the kernel. Not for several threads.
Draw system_draw();

/// 12 hex digits from the kernel's generator; never the same twice in a gateway's life, whatever the store's fate.
std::string random_epoch();

}  // namespace metergate
