#pragma once

#include <string>

#include "agent/base/backoff.h"
#include "agent/base/log_throttle.h"
#include "agent/bus/bus_parts.h"

namespace metergate {

/// Keeps a bus's port open: opens, notices its loss, reopens with backoff, tells each change once. Owned by the bus's
/// thread.
class BusConnection {
 public:
  explicit BusConnection(const BusParts& parts);

  bool up() const { return up_; }
  bool tried() const { return tried_; }
  const Error& why_down() const { return down_; }
  MonoTime reopen_at() const { return reopen_at_; }

  /// Opens it when its time has come, for a command also sooner. True when this call brought it up.
  bool open_if_due(MonoTime now, bool for_command);
  void lost(const Error& error);
  /// Closes it and leaves it closed, for another program. `why` is what commands are told meanwhile.
  void lend(const std::string& why);
  /// It opens with the next open_if_due().
  void take_back();
  bool lent() const { return lent_; }

 private:
  const std::string& name() const { return p_.config->spec.name; }

  const BusParts& p_;
  Backoff backoff_;
  ChangeThrottle logged_;
  bool up_ = false;
  bool tried_ = false;
  bool lent_ = false;
  MonoTime reopen_at_{};
  MonoTime last_try_{};
  Error down_{Errc::kBusDown, "not opened yet", 0};
};

}  // namespace metergate
