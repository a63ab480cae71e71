#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/base/clock.h"

namespace metergate {

/// Tells the service manager one or more lines of sd_notify(3). Blocks at most 1 s; what cannot be sent by then is
/// lost.
using Notify = std::function<void(const std::string& state)>;
/// Writes to the datagram socket that NOTIFY_SOCKET names (a path, or '@' and an abstract name); without one it does
/// nothing. The protocol is part of systemd's stable interface (sd_notify(3), "Standalone Implementations").
Notify systemd_notify();
/// The manager ends the process when it does not hear WATCHDOG=1 for so long: WATCHDOG_USEC, if WATCHDOG_PID names this
/// process or is not set.
std::optional<Micros> systemd_watchdog();

}  // namespace metergate
