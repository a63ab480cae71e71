#pragma once

#include <functional>
#include <string>

#include "agent/base/backoff.h"
#include "agent/base/log.h"
#include "agent/bus/bus_pause.h"
#include "agent/bus/serial_registry.h"
#include "agent/command/clock_rule.h"
#include "agent/config/site.h"
#include "agent/protocol/codec.h"
#include "agent/protocol/events.h"
#include "drivers/bus.h"
#include "store/inbox.h"
#include "store/outbox.h"

namespace metergate {

/// What the thread of one bus works with. Filled by name; all of it outlives the BusWorker, and no pointer is null.
struct BusParts {
  const BusConfig* config = nullptr;
  Bus* bus = nullptr;
  BusPause* pause = nullptr;
  Outbox* outbox = nullptr;
  Inbox* inbox = nullptr;
  KeyValueStore* key_values = nullptr;
  Events* events = nullptr;
  SerialRegistry* serials = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Draw draw;
  std::string catalog;
  ClockRule clock_rule;
  std::function<bool()> writes_allowed = [] { return true; };           ///< false while another gateway uses this id
  std::function<void()> given = [] {};                                  ///< wakes the thread; must not block
  std::function<void()> command_ended = [] {};                          ///< there is room for another; must not block
  std::function<void()> before_stamp = [] {};                           ///< before a reading or result is stamped
  std::function<void(const Reading&)> reading = [](const Reading&) {};  ///< each reading that goes up; must not block
};

}  // namespace metergate
