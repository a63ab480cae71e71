#pragma once

#include <memory>
#include <ostream>

#include "agent/cli/subcommands.h"
#include "agent/config/options.h"

namespace metergate {

/// A bus as `read` gets at it: its port, or the running agent that has the port.
class ReadLine {
 public:
  struct Answer {
    Result<Words> words;
    Micros took{0};  ///< the transaction alone, without the wait for its turn
  };

  virtual ~ReadLine() = default;
  /// Errors: as Bus::open.
  virtual Status open() = 0;
  virtual bool is_open() const = 0;
  /// Errors: as Bus::read, and kPaused.
  virtual Answer read(const Target& target, const Block& block) = 0;
};

/// Through the agent where it has this port and has not lent it, else to the port itself. `err` is told when the agent
/// may not be asked. Errors: kLocked (the agent has the port with other settings), kTimeout, kGarbled.
Result<std::unique_ptr<ReadLine>> line_to(const BusSpec& bus, const ReadTools& tools, std::ostream& err);

}  // namespace metergate
