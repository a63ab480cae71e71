#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/base/clock.h"

namespace metergate {

/// What the service manager is told: one or more lines of sd_notify(3). Blocks at most 1 s; what cannot be sent then is
/// lost: nobody who could act on it knows more than the manager itself.
using Notify = std::function<void(const std::string& state)>;
/// To the datagram socket that NOTIFY_SOCKET names (a path, or '@' and an abstract name); does nothing without one.
/// The protocol is part of systemd's stable interface (sd_notify(3), "Standalone Implementations").
Notify systemd_notify();
/// How often the manager wants to hear WATCHDOG=1 (WATCHDOG_USEC, if WATCHDOG_PID names this process or none).
std::optional<Micros> systemd_watchdog();

}  // namespace metergate
