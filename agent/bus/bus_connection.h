#pragma once

#include <string>

#include "agent/base/backoff.h"
#include "agent/base/log_throttle.h"
#include "agent/bus/bus_parts.h"

namespace metergate {

/// Keeps a bus's port open: opens, notices its loss, reopens with a backoff that an answer resets, tells each outage
/// and its end. Owned by the bus's thread.
class BusConnection {
 public:
  explicit BusConnection(const BusParts& parts);

  bool up() const { return up_; }
  /// It could not be opened, or gave no answer before it broke off: what needs it fails until it is up again.
  bool down() const { return down_told_ && !up_; }
  const Error& why_down() const { return why_down_; }
  MonoTime reopen_at() const { return reopen_at_; }

  /// Opens it when its time has come, for a command also sooner. True when this brought it up; false also when it only
  /// goes on with what broke off, and when only an answer can tell that it is up.
  bool open_if_due(MonoTime now, bool for_command);
  /// A valid frame came. True when this brought it up.
  bool answered();
  /// It broke off. One that had given an answer is opened again at once, and its outage is told when that fails.
  void lost(const Error& error);
  /// Closes it and leaves it closed, for another program. `why` is what commands are told meanwhile.
  void lend(const std::string& why);
  /// It opens with the next open_if_due().
  void take_back();
  bool lent() const { return lent_; }

 private:
  void tell_down(const Error& error);
  void tell_up();
  const std::string& name() const { return p_.config->spec.name; }

  const BusParts& p_;
  Backoff backoff_;
  ChangeThrottle logged_;
  bool up_ = false;
  bool answered_ = false;   // since it was opened
  bool down_told_ = false;  // an outage was told, and its end was not
  bool unproved_ = false;   // it was opened once in vain: only an answer ends the outage
  bool broke_off_ = false;  // after an answer, and was not opened since
  bool lent_ = false;
  MonoTime reopen_at_{};
  MonoTime last_try_{};
  Error why_down_{Errc::kBusDown, "not opened yet", 0};
};

}  // namespace metergate
