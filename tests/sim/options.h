#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/item_meter.h"
#include "tests/sim/meter.h"
#include "tests/sim/rtu_wire.h"

namespace metersim {

struct Options {
  bool help = false;
  std::vector<std::string> ptys;
  std::vector<int> tcp_ports, rtu_tcp_ports;
  LineTiming timing = LineTiming::unpaced();  ///< of the ptys and RTU over TCP
  std::map<int, Meter> meters;
  std::vector<ItemMeter> item_meters;
  std::string log, stats, control;
  std::string replay;  ///< a trace
  bool log_values = false;
  bool die_with_parent = false;
  std::vector<std::string> faults;
};

extern const char* const kHelp;

/// Reads the profiles, too. Throws Refused.
Options parse_options(const std::vector<std::string>& arguments);

}  // namespace metersim
