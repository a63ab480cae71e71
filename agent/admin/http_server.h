#pragma once

#include <memory>

#include "agent/admin/http_responder.h"
#include "agent/admin/socket_server.h"
#include "agent/config/endpoint.h"

namespace metergate {

/// Serves --http: one request a connection. A request's head has at most 4 KiB and 5 s, its answer 30 s; of 16 clients
/// the one that came first goes for the next; at most 100 are taken in a second. `token`: as HttpResponder; wrong ones
/// are logged, at most once a minute with their number. Errors: kFull (no descriptor).
Result<std::unique_ptr<SocketServer>> make_http_server(const Endpoint& address, HttpHandler handler,
                                                       const std::string& token, const Clock& clock, Log& log);

}  // namespace metergate
