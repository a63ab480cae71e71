#include "agent/cli/manual_notation.h"

#include "agent/config/bus_description.h"

namespace metergate {

std::string manual_notation(Table table, int address) {
  const int first = table == Table::kHolding ? 40'001 : table == Table::kInput ? 30'001 : 10'001;
  if (table == Table::kCoil || address < first || address > first + 9'998) return "";
  const std::string number = std::to_string(address);
  return "addresses count from 0: the register that a manual calls " + number + " is " + table_name(table) + " " +
         std::to_string(address - first);
}

}  // namespace metergate
