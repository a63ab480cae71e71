#pragma once

#include <optional>
#include <vector>

#include "agent/bus/block_reader.h"
#include "agent/command/command_plan.h"

namespace metergate {

/// What a `read` command asks of the bus, block by block, and what it makes of the answers. Only the points that a
/// meter refuses (exception 2 or 3) are missing; a meter that refuses two single values and has answered nothing is not
/// asked further. Pure.
class CommandReading {
 public:
  /// `meter`: whose profile the points are of; null for a route, also to a meter that is configured. It outlives this.
  CommandReading(const MeterConfig* meter, const CommandPlan& plan);

  /// The block to ask now; none: it is over.
  std::optional<Block> next() const;
  void answered(const Words& words, MonoTime now);
  /// False: nothing more can come of it.
  bool failed(const Error& error, MonoTime now);
  /// After the last block: values and errors, or registers. The failure, if there is no value.
  std::optional<Failure> conclude(CommandResult& result) const;

 private:
  std::optional<Failure> conclude_route(CommandResult& result) const;

  std::vector<const Point*> points_;
  std::optional<BlockReader> reader_;  // of a meter
  // Of a route: its registers, or its items.
  std::vector<Block> blocks_;
  std::vector<Result<Words>> answers_;  // of the first of them
};

}  // namespace metergate
