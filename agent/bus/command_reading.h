#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "agent/command/command_plan.h"

namespace metergate {

/// What a `read` command asks of the bus, block by block, and what it makes of the answers. A block of a meter that is
/// refused (exception 2 or 3) is asked in halves, so that only the refused points are missing; a meter that refuses two
/// single values and has answered nothing is not asked further. Pure.
class CommandReading {
 public:
  /// `meter`: whose profile the points are of; null for a route, also to a meter that is configured. It outlives this.
  CommandReading(const MeterConfig* meter, const CommandPlan& plan);

  /// The block to ask now; none: it is over.
  std::optional<Block> next() const;
  void answered(const Words& words);
  /// False: nothing more can come of it.
  bool failed(const Error& error);
  /// After the last block: values and errors, or registers. The failure, if there is no value.
  std::optional<Failure> conclude(CommandResult& result) const;

 private:
  bool split(const Block& block);
  Failure why_missing(const Point& point, const Error& otherwise) const;

  const MeterConfig* meter_;
  std::vector<const Point*> points_, needed_;  // needed_: those and what they depend on
  std::vector<Block> todo_;
  std::vector<std::pair<Block, Error>> failures_;
  RegisterImage image_;
  Words words_;  // of the last block
  bool any_answer_ = false;
};

}  // namespace metergate
