#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "agent/admin/http_server.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/base/result.h"
#include "agent/config/endpoint.h"

namespace metergate {

/// Listens for --http and serves its clients. An address that cannot be had (the port is in use, the network is not up
/// yet) is logged and tried again every 10 s.
///
/// One thread, but for notify(). Nothing a client does blocks it or keeps others out: a request's head has at most 4
/// KiB and 5 s, its answer 30 s; of 16 clients the one that came first goes for the next; at most 100 are taken in a
/// second.
class HttpListener {
 public:
  /// Errors: kFull (no descriptor).
  static Result<std::unique_ptr<HttpListener>> make(const Endpoint& address, std::unique_ptr<HttpServer> server,
                                                    const Clock& clock, Log& log);

  /// Serves whatever is ready; returns when it wants to be called next, whatever clients do.
  MonoTime step(MonoTime now);
  /// Until `t`, a client's doing, or notify().
  void wait_until(MonoTime t);
  void notify();  ///< any thread

 private:
  struct Client {
    Fd socket;
    MonoTime deadline;
    std::string in, out;
    std::size_t sent = 0;
  };

  HttpListener(const Endpoint& address, std::unique_ptr<HttpServer> server, Fd event, const Clock& clock, Log& log);
  void listen(MonoTime now);
  void accept_client(MonoTime now);
  bool serve(Client& client, MonoTime now);
  bool receive(Client& client, MonoTime now);
  static bool send_out(Client& client);

  const Endpoint address_;
  const std::unique_ptr<HttpServer> server_;
  const Fd event_;
  const Clock& clock_;
  Log& log_;
  LogThrottle throttle_;
  Fd listener_;
  MonoTime next_{MonoTime::min()};  // to listen, or to take a client
  std::list<Client> clients_;       // in the order of their coming
};

}  // namespace metergate
