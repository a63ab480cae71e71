#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/config/site.h"

namespace metergate {

/// What explains the readings: which meters, which points, which units.
struct Catalog {
  std::string hash;     ///< 8 hex digits over the gateway id and `members`
  std::string members;  ///< JSON members behind `at`
};
Catalog make_catalog(const std::string& gateway, const std::string& version, const Site& site);

/// Its `unit` or `address`.
void write_place(JsonWriter& json, const MeterSpec& meter);

constexpr std::size_t kMaxMessageBytes = 64 << 10;  ///< of anything that is published

/// The messages of one catalog, in their order. One that is too large for one message is split by profiles, points,
/// meters and polls: each part is whole JSON with `part`, `parts` and the same hash, and what is split has its name and
/// its other members in each. `members`: as Catalog has them.
std::vector<std::string> catalog_payloads(const std::string& gateway, const std::string& epoch, UtcTime at,
                                          const std::string& members);
/// The same without gateway, epoch and time, split at `max_bytes`.
std::vector<std::string> catalog_pages(const std::string& members, std::size_t max_bytes);

}  // namespace metergate
