#pragma once

#include <string>

namespace metergate {

/// A place on a bus, where a meter may be that no flag names.
struct Route {
  std::string bus;
  int unit = 0;         ///< 0 to 255; what the bus takes is the bus's matter
  std::string address;  ///< instead of it, of DL/T 645, with all its 12 digits
};

}  // namespace metergate
