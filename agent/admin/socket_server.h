#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "agent/admin/listener.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/base/result.h"

namespace metergate {

/// Serves the clients of a listening socket: bytes in, a request out of them, an answer back, the next request.
///
/// One thread, but for notify(). Nothing a client does blocks it: their number is bounded, and one that takes too long
/// over its request or its answer is dropped. The next request of a client is looked at when its answer is sent, and
/// after 8 answers the others have their turn. A step that took 1 s leaves the other clients to the next.
class SocketServer {
 public:
  /// Gives an answer that takes time: called by step(), after each notify(), until it has one. It is destroyed with its
  /// client, or after Limits::later.
  using Later = std::function<std::optional<std::string>()>;
  struct Answer {
    std::string bytes;
    Later later;        ///< set: it gives the bytes
    bool last = false;  ///< the connection is closed behind it
  };
  /// Takes the first request out of `in` and answers it; nothing while it is incomplete. `ended`: nothing comes behind
  /// `in`. It bounds `in` by a `last` answer to what is too long. Called by step(); while it runs no other client is
  /// served.
  using Protocol = std::function<std::optional<Answer>(std::string& in, bool ended)>;

  struct Limits {
    std::size_t clients = 16;
    std::string busy;               ///< told to a client beyond them; empty: the one that came first goes for it
    Millis request{10'000};         ///< for a whole request, from the connection or the answer before it on
    Millis answer{10'000};          ///< for taking the answer
    Millis later{300'000};          ///< for an answer that takes time
    Millis between_connections{0};  ///< at least, from one that is taken to the next
  };
  struct Counters {
    std::int64_t refused_clients = 0, dropped_clients = 0;
  };

  /// `name`: in the log. Errors: kFull (no descriptor).
  static Result<std::unique_ptr<SocketServer>> make(std::string name, std::unique_ptr<Listener> listener,
                                                    Protocol protocol, Limits limits, const Clock& clock, Log& log);

  /// Serves whatever is ready; returns when it wants to be called next, whatever clients do.
  MonoTime step(MonoTime now);
  /// Until `t`, a client's doing, or notify().
  void wait_until(MonoTime t);
  void notify();  ///< any thread

  const Counters& counters() const { return counters_; }

 private:
  struct Client {
    Fd socket;
    MonoTime deadline;
    std::string in, out;
    std::size_t sent = 0;  // of out
    Later later;           // gives what the client waits for
    bool ended = false;    // nothing comes behind `in`
    bool last = false;     // nothing is taken behind the answer in `out`
  };
  enum class Served { kWaits, kMore, kGone };

  SocketServer(std::string name, std::unique_ptr<Listener> listener, Protocol protocol, Limits limits, Fd event,
               const Clock& clock, Log& log);
  void accept_clients(MonoTime now);
  void pause_accepting(MonoTime now, int reason);
  Served serve(Client& client);
  void put_out(Client& client, Answer answer);
  bool answer_later(Client& client);
  bool send_out(Client& client);
  static bool receive(Client& client);

  const std::string name_;
  const std::unique_ptr<Listener> listener_;
  const Protocol protocol_;
  const Limits limits_;
  const Fd event_;
  const Clock& clock_;
  Log& log_;
  LogThrottle throttle_;
  Counters counters_;
  std::list<Client> clients_;  // in the order of their coming, unless a step took long
  MonoTime accept_after_{MonoTime::min()};
};

}  // namespace metergate
