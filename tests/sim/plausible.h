#pragma once

#include <string>

namespace metersim {

/// What a meter on a small three-phase load would show for a quantity, in that quantity's own unit: energies grow and
/// never fall (not even over a restart), the rest swings slowly. `seconds` is time since 1970.
double plausible(const std::string& point, const std::string& unit_of_measure, int meter, double seconds);

}  // namespace metersim
