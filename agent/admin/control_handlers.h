#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/admin/control.h"
#include "agent/bus/bus_pause.h"
#include "agent/command/open_command.h"
#include "store/store_view.h"

namespace metergate {

/// What the agent answers on its local socket, beside `status`. Everything in it outlives the handlers.
struct LocalParts {
  const metergate::Site* site = nullptr;
  std::map<std::string, BusPause*> pauses;                       ///< by bus
  std::map<std::string, std::function<void(OpenCommand)>> give;  ///< by bus
  std::function<void()> answered;                                ///< an answer is there; must not block
  StoreView* store = nullptr;
  std::string store_path;
};

/// buses: {buses: [{name, key, port, paused_until}]}. read {bus, unit, table, address, count}: one transaction in its
/// turn between polls and commands, {registers, took_us} or {failure, took_us}. store {what, ...}: a page of it, see
/// store_page(); with what=where {path}. Waits for the store. pause {bus, for}: when the port is free, {bus, until}.
/// resume {bus}: {bus, was_paused}. Errors of a question: no_such_bus, bad_question, bad_value.
ControlServer::Handlers local_handlers(const LocalParts& parts);

}  // namespace metergate
