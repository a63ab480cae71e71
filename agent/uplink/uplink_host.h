#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/uplink/connection.h"
#include "store/store.h"

namespace metergate {

/// What the uplink asks of the agent that it is part of.
class UplinkHost {
 public:
  virtual ~UplinkHost() = default;

  // Any thread.
  /// Forwarder::step() has something to do.
  virtual void wake_uplink() = 0;
  /// True when the command is durable. May block for a commit. Called on the connection's thread.
  virtual bool take_command(const Message& message) = 0;

  // From within Forwarder::step().
  /// The payload of the status topic.
  virtual std::string status_payload(bool online) = 0;
  /// The catalogs that waiting records name, the present one last; each as payloads of its parts. Nothing: the store
  /// has no answer now.
  virtual std::optional<std::vector<std::vector<std::string>>> catalogs() = 0;
  /// Whether this gateway's store ever drew the epoch.
  virtual bool knows_epoch(const std::string& epoch) = 0;
  /// Another gateway has this one's id; called each time that it is seen.
  virtual void duplicate_gateway(const std::string& epoch) = 0;
  /// The event.
  virtual Draft session_lost() = 0;
  /// stdout: the reader is gone, the process is to stop.
  virtual void reader_gone() = 0;
};

}  // namespace metergate
