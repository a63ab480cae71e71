#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace metergate {

/// What a name means that is the same in every profile. OBIS codes: IEC 62056-6-1.
struct StandardName {
  std::string unit;  ///< empty: none
  std::string obis;  ///< empty where there is none
};

/// The names that the contract fixes, alone or with _l1 _l2 _l3 (OBIS + 20, 40, 60); energies also with _t1 ... _t8
/// (tariff) behind.
std::optional<StandardName> standard_name(std::string_view name);

}  // namespace metergate
