#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/admin/control_server.h"
#include "agent/bus/bus_pause.h"
#include "agent/bus/frame_ring.h"
#include "agent/command/open_command.h"
#include "agent/uplink/forwarder.h"
#include "store/store_view.h"

namespace metergate {

/// What the handlers of the control socket work on. Everything in it outlives them.
struct ControlParts {
  const metergate::Site* site = nullptr;
  std::map<std::string, BusPause*> pauses;                       ///< by bus
  std::map<std::string, const FrameRing*> frames;                ///< by bus
  std::map<std::string, std::function<bool(OpenCommand)>> give;  ///< by bus; false: too many wait
  std::function<void()> answered;                                ///< an answer is there; must not block
  StoreView* store = nullptr;
  std::string store_path;
  const Clock* clock = nullptr;
  const UplinkOptions* uplink = nullptr;
  std::function<ForwarderState()> forwarder;  ///< its state now; any thread
};

/// The requests but `status`. buses: {buses: [{name, key, port, paused_until}]}. read {bus, unit, table, address,
/// count} or {bus, address, items: [one]}: one transaction in its turn between polls and commands, {registers, took_us}
/// (of an item its bytes) or {failure, took_us}. store {what, ...}: a page of it, see store_page(); with what=where
/// {path}. Waits for the store. pause {bus, for}: when the port is free, {bus, until}. resume {bus}: {bus, was_paused}.
/// trace {bus, after}: {lines}, then a frame of FrameRing::json_behind() a line. broker: what each address of the
/// broker came to when it was last tried, links_json(). Errors: no_such_bus, bad_request, bad_value, busy.
ControlServer::Handlers control_handlers(const ControlParts& parts);

}  // namespace metergate
