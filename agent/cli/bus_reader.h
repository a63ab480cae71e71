#pragma once

#include <functional>
#include <memory>
#include <ostream>

#include "agent/cli/agent_client.h"
#include "agent/config/options.h"

namespace metergate {

/// How `read` and `scan` get at buses, the running agent and time; tests give their own.
struct BusTools {
  const Clock& clock;
  std::function<std::unique_ptr<Bus>(const BusSettings& settings)> make_bus;
  SendRequest send;
  std::function<bool()> stopped = [] { return false; };  ///< the user wants the end; looked at between transactions
};
/// Until `t`, or until `stopped` says so.
void sleep_until(const BusTools& tools, MonoTime t);

/// A bus as `read` gets at it: its port, or the running agent that has the port.
class BusReader {
 public:
  struct Answer {
    Result<Words> words;
    Micros took{0};  ///< the transaction alone, without the wait for its turn
  };

  virtual ~BusReader() = default;
  /// Errors: as Bus::open.
  virtual Status open() = 0;
  virtual bool is_open() const = 0;
  /// Errors: as Bus::read, and kPaused.
  virtual Answer read(const Target& target, const Block& block) = 0;
};

/// Through the agent where it has this port and has not lent it, else to the port itself. A warning
/// goes to `err` where this user may not connect to the agent. Errors: kInvalid (the agent has the port with other
/// settings), kTimeout, kGarbled.
Result<std::unique_ptr<BusReader>> reader_of(const BusSpec& bus, const BusTools& tools, std::ostream& err);

}  // namespace metergate
