#pragma once

#include <vector>

#include "agent/bus/bus_parts.h"
#include "agent/bus/meter_watch.h"
#include "agent/bus/schedule.h"

namespace metergate {

/// Tells which slots of a bus were missed, once a minute, and that the bus is overloaded when it begins. Owned by the
/// bus's thread.
class MissedSlots {
 public:
  static constexpr std::chrono::minutes kPause{1};

  MissedSlots(const BusParts& parts, MeterWatch& meters) : p_(parts), meters_(meters) {}

  void tell(Schedule& schedule, MonoTime now);
  /// At the end: what was not told yet.
  void finish(Schedule& schedule);

 private:
  std::string note(const Schedule::Missed& missed);
  void tell_overload(std::size_t polls);

  const BusParts& p_;
  MeterWatch& meters_;
  MonoTime told_{};
  bool overload_told_ = false;
};

}  // namespace metergate
