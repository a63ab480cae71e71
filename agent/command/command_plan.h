#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/config/site.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/command_text.h"

namespace metergate {

/// Where replays wait, among the buses; no bus has such a name.
constexpr const char* kReplayQueue = "*replay";
/// Where configurations from afar wait.
constexpr const char* kRemoteQueue = "*remote";
/// Units and addresses that are no meter's are targets behind all meters.
constexpr std::uint64_t kRoutes = 1'000'000;
constexpr std::uint64_t kAddressRoutes = kRoutes + 256;

/// A command matched with this gateway's buses and meters: everything that its bus thread needs.
struct CommandPlan {
  std::string bus;                   ///< or kReplayQueue; empty: needs none
  std::optional<std::size_t> meter;  ///< index on its bus; of a route, if its unit is a configured meter's
  std::uint64_t target = 0;          ///< what it is for on its bus: the index of the meter, or kRoutes + its unit
  Target stranger;                   ///< how a route's unit or address is asked that is no configured meter's
  std::vector<const Point*> points;  ///< read by meter
  std::vector<Block> blocks;         ///< read; by meter: as they are planned when its turn comes
  const Point* point = nullptr;      ///< write
  Write write;
};

/// What can never be done is told at once: no_such_meter, no_such_bus, no_such_point, not_writable, bad_value,
/// not_allowed, bad_command.
std::variant<CommandPlan, Failure> plan_command(const Site& site, const Command& command);

}  // namespace metergate
