#pragma once

#include <poll.h>

#include <optional>
#include <vector>

#include "tests/sim/transmitter.h"

namespace metersim {

/// Something with descriptors and deadlines.
class Participant {
 public:
  virtual ~Participant() = default;
  /// Adds what it waits for.
  virtual void watch(std::vector<pollfd>& fds) const = 0;
  /// One of its descriptors has something.
  virtual void ready(int fd, short events, Nanos now) = 0;
  virtual std::optional<Due> deadline() const { return std::nullopt; }
  virtual void step(Nanos) {}
};

/// A line that meters hang on, and that can be torn off.
class Port : public Participant {
 public:
  virtual void unplug(Nanos now) = 0;
  /// Throws Refused.
  virtual void plug(Nanos now) = 0;
  /// `pty LINKPATH` or `tcp PORT`: what a master opens.
  virtual std::string description() const = 0;
};

/// Turns until `running` is false. Sleeps to 80 us before an exact deadline and spins the rest: a sleeper wakes up
/// late.
void run_loop(const std::vector<Participant*>& participants, const bool& running);

}  // namespace metersim
