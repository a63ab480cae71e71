#pragma once

#include <string>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/bus/bus_parts.h"
#include "agent/bus/bus_state.h"
#include "agent/bus/meter_health.h"

namespace metergate {

/// Which meters of a bus live, told by events and in the log when it changes. Owned by the bus's thread.
class MeterWatch {
 public:
  explicit MeterWatch(const BusParts& parts);

  std::size_t size() const { return meters_.size(); }
  MeterHealth& health(std::size_t meter) { return meters_[meter].health; }
  const MeterHealth& health(std::size_t meter) const { return meters_[meter].health; }
  MeterState& state(std::size_t meter) { return meters_[meter].state; }
  std::vector<MeterState> states() const;

  /// A valid frame came. The first one after all were silent has the others asked at once.
  void frame(std::size_t meter, MonoTime now);
  /// A poll ended without one. True when the meter is silent from now on.
  bool failed_poll(std::size_t meter, MonoTime began, MonoTime now, const std::string& code);
  /// The port was opened anew: silent meters are asked at once.
  void port_opened(MonoTime now);

 private:
  struct Meter {
    MeterHealth health;
    MeterState state;
    ChangeThrottle logged;
  };
  const BusParts& p_;
  std::vector<Meter> meters_;
};

}  // namespace metergate
