#include "drivers/profile/standard_names.h"

#include <array>

namespace metergate {

namespace {

enum class Phases { kNone, kAny, kAlways };

struct Row {
  const char* name;
  const char* unit;
  int quantity;  ///< OBIS value group C of the sum of all phases; 0: no code
  int type;      ///< OBIS value group D
  Phases phases;
};

constexpr std::array<Row, 17> kRows{{
    {"active_energy_import", "kWh", 1, 8, Phases::kAny},
    {"active_energy_export", "kWh", 2, 8, Phases::kAny},
    {"active_energy_total", "kWh", 15, 8, Phases::kAny},
    {"reactive_energy_import", "kvarh", 3, 8, Phases::kAny},
    {"reactive_energy_export", "kvarh", 4, 8, Phases::kAny},
    {"apparent_energy_import", "kVAh", 9, 8, Phases::kAny},
    {"active_power", "W", 16, 7, Phases::kAny},
    {"reactive_power", "var", 0, 7, Phases::kAny},
    {"apparent_power", "VA", 9, 7, Phases::kAny},
    {"power_factor", "", 13, 7, Phases::kAny},
    {"frequency", "Hz", 14, 7, Phases::kAny},
    {"voltage", "V", 12, 7, Phases::kAlways},
    {"current", "A", 11, 7, Phases::kAlways},
    {"current_n", "A", 91, 7, Phases::kNone},
    {"voltage_l1_l2", "V", 0, 7, Phases::kNone},
    {"voltage_l2_l3", "V", 0, 7, Phases::kNone},
    {"voltage_l3_l1", "V", 0, 7, Phases::kNone},
}};

/// Takes `_l1` ... or `_t1` ... off the end of a name; 0 when there is none.
int take_suffix(std::string_view* name, char letter, int highest) {
  if (name->size() < 4) return 0;
  const std::string_view end = name->substr(name->size() - 3);
  const int number = end[2] - '0';
  if (end[0] != '_' || end[1] != letter || number < 1 || number > highest) return 0;
  name->remove_suffix(3);
  return number;
}

}  // namespace

std::optional<StandardName> standard_name(std::string_view name) {
  if (name == "serial_number") return StandardName{"", "0-0:96.1.0"};
  if (name == "meter_time") return StandardName{"", "0-0:1.0.0"};
  for (const bool with_suffixes : {false, true}) {
    std::string_view stem = name;
    const int tariff = with_suffixes ? take_suffix(&stem, 't', 8) : 0;
    const int phase = with_suffixes ? take_suffix(&stem, 'l', 3) : 0;
    for (const Row& row : kRows) {
      const bool energy = row.type == 8;
      if (stem != row.name || (tariff != 0 && !energy)) continue;
      if ((phase != 0 && row.phases == Phases::kNone) || (phase == 0 && row.phases == Phases::kAlways)) continue;
      if (row.quantity == 0) return StandardName{row.unit, ""};
      return StandardName{row.unit, "1-0:" + std::to_string(row.quantity + 20 * phase) + "." +
                                        std::to_string(row.type) + "." + std::to_string(tariff)};
    }
  }
  return std::nullopt;
}

}  // namespace metergate
