#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/admin/unix_socket.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/base/result.h"

namespace metergate {

/// The local control socket: one JSON question a line (`{"ask":"status"}`), one JSON answer a line, in order. An answer
/// that begins with `{"lines":n` has n lines more. What is no question is answered by
/// `{"error":{"code":...,"message":...}}`.
///
/// One thread, but for notify(). Nothing a client does blocks it: at most 16 clients, lines of at most 64 KiB, answers
/// of at most 1 MiB, the next question of a client is read when its answer is sent, and 10 s without a question or an
/// answer's end drop it. A step that took 1 s leaves the other clients to the next.
class ControlServer {
 public:
  /// Gives an answer that takes time: called by step(), after each notify(), until it has one. It goes when its client
  /// does, or after 5 min.
  using Later = std::function<std::optional<std::string>()>;
  /// Gives the answer, without the last line break, or what will give it. Called by step(); while it runs no
  /// other client is served.
  using Handler = std::function<std::variant<std::string, Later>(const Json& question)>;
  using Handlers = std::map<std::string, Handler>;  ///< by the text of `ask`

  struct Counters {
    std::int64_t questions = 0, refused_clients = 0, dropped_clients = 0, bad_questions = 0;
  };

  /// The socket gets mode 0660. A dead process's socket is replaced. Errors: kLocked (a living process listens there),
  /// kNotFound (no such folder), kInvalid (path too long, no right to it, or something there that is no socket), kFull.
  static Result<std::unique_ptr<ControlServer>> open(const std::string& path, Handlers handlers, const Clock& clock,
                                                     Log& log);
  /// Closes everything; removes the socket if it is still this one.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

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
    Later later;  // gives the answer that the client waits for
    std::size_t sent = 0;
    bool last = false;  // nothing is read behind the answer in `out`
  };
  enum class Served { kWaits, kMore, kGone };

  ControlServer(UnixListener listener, Fd event, Handlers handlers, const Clock& clock, Log& log);
  void accept_clients(MonoTime now);
  void pause_accepting(MonoTime now, int reason);
  Served serve(Client& client);
  bool receive(Client& client);
  bool send_out(Client& client);
  void answer(Client& client, std::string_view line);
  bool answer_later(Client& client);
  void put_out(Client& client, std::string text);
  std::variant<std::string, Later> answer_to(std::string_view line);

  UnixListener listener_;
  Fd event_;
  Handlers handlers_;
  const Clock& clock_;
  Log& log_;
  LogThrottle throttle_;
  Counters counters_;
  std::list<Client> clients_;
  MonoTime accept_after_{MonoTime::min()};
};

/// `{"error":{"code":...,"message":...}}`.
std::string error_answer(std::string_view code, std::string_view message);

/// Asks a running agent one question; the answer without its last line break. Blocks for at most `timeout`.
/// Errors: kOffline (nobody listens there), kInvalid (may not be opened by this user), kTimeout, kGarbled.
Result<std::string> ask(const std::string& path, const std::string& question, Millis timeout, const Clock& clock);

}  // namespace metergate
