#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/config/options.h"
#include "drivers/bus.h"
#include "drivers/profile/decode.h"
#include "drivers/profile/plan_cost.h"
#include "drivers/profile/profile.h"

namespace metergate {

/// A meter with what its flags and its profile say together.
struct MeterConfig {
  MeterSpec spec;
  const Profile* profile = nullptr;  ///< owned by Site::profiles
  Target target;                     ///< the slower and smaller of what --meter and profile ask for
  Ratios ratios;
  PlanCost cost;
  int retries = 1;  ///< --meter's, else the bus's
};

struct PollConfig {
  std::size_t meter = 0;  ///< index into BusConfig::meters
  std::string name;
  Millis every{0};                   ///< 0: back to back
  std::vector<const Point*> points;  ///< in the order of the profile, each once, at least one
  bool keep_high = true;
};

struct BusConfig {
  BusSpec spec;
  std::vector<MeterConfig> meters;  ///< in the order of the flags
  std::vector<PollConfig> polls;    ///< by meter, then in the order of the flags (`every` of --meter first)
};

/// The options with every name resolved. Movable only: its parts point into `profiles`.
struct Site {
  Site() = default;
  Site(Site&&) = default;
  Site& operator=(Site&&) = default;
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  ProfileLibrary profiles;
  std::vector<BusConfig> buses;  ///< in the order of the flags; one may have no meters
  bool remote = false;           ///< commands from afar may change the configuration and look at log and frames
  std::string config;            ///< 8 hex digits over all of the configuration
  std::vector<std::string> warnings;
};

/// What an operator is told where meters are writable and nothing says that the clock is right; else nothing.
std::optional<std::string> clock_warning(const Site& site, const Clock& clock);

/// The points that names and patterns stand for, in the order of the profile; all for no pattern.
std::vector<const Point*> matching_points(const Profile& profile, const std::vector<std::string>& patterns);

/// Reads the profile folders and checks everything that needs more than one flag to judge. One device, or one endpoint
/// of RTU over TCP, on two buses is refused, and so are two meters with one unit and one profile on a bus (a line
/// copied and not changed). Two buses to one Modbus TCP endpoint and two profiles for one unit are possible and told as
/// warnings.
std::variant<Site, UsageError> make_site(const Options& options);

}  // namespace metergate
