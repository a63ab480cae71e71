#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/config/site.h"

namespace metergate {

/// What explains the readings: which meters, which points, which units.
struct Catalog {
  std::string hash;     ///< 8 hex digits over the gateway id and `members`
  std::string members;  ///< JSON members behind `at`
};
Catalog make_catalog(const std::string& gateway, const std::string& version, const Site& site);

std::string catalog_payload(const std::string& gateway, const std::string& epoch, UtcTime at,
                            const std::string& members);

}  // namespace metergate
