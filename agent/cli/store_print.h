#pragma once

#include <array>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "agent/base/json.h"
#include "agent/config/options.h"
#include "store/store.h"
#include "store/store_view.h"

namespace metergate {

/// What `metergate store` shows of a lane.
struct LaneView {
  std::int64_t waiting = 0;
  std::string since;                   ///< `at` of the oldest that waits
  std::optional<std::int64_t> drains;  ///< how many a minute more are delivered than come; with an agent only
  std::int64_t drops = 0;              ///< how many a minute are dropped
  std::int64_t dropped = 0;            ///< since the agent's start
  /// Before they had a number; readings only. Since the agent's start, without an agent since the file was made.
  std::int64_t lost = 0;
  bool refused = false;  ///< the broker ends the connection at its next record
};
using LaneViews = std::array<LaneView, kLanes>;
LaneViews lanes_of(const std::array<LaneState, kLanes>& lanes, const LossCounts& losses);
/// Of two answers to `status`, so long after each other.
LaneViews lanes_of(const Json& first, const Json& second, Millis between);

void print_lanes(const LaneViews& lanes, bool json, std::ostream& out);
void print_uplink(const Json& status, std::ostream& out);
/// Of a store that no agent has open.
void print_losses(const LossCounts& losses, std::ostream& out);

/// Takes the lines of an answer one by one.
class LinePrinter {
 public:
  virtual ~LinePrinter() = default;
  virtual void add(const std::string& line) = 0;
  virtual void end() {}
};
/// As the invocation asks: JSON lines as they are, readings as CSV (one line a value), or a table for people.
std::unique_ptr<LinePrinter> make_line_printer(const Invocation& invocation, std::ostream& out);

}  // namespace metergate
