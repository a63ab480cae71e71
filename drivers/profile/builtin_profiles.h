#pragma once

#include <string>
#include <utility>
#include <vector>

namespace metergate {

/// Name and text of every file in drivers/profile/models, as compiled in.
std::vector<std::pair<std::string, std::string>> builtin_profiles();

}  // namespace metergate
