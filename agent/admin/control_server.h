#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "agent/admin/socket_server.h"
#include "agent/base/json.h"

namespace metergate {

/// The local control socket: one JSON request a line (`{"ask":"status"}`), one JSON answer a line, in order. An answer
/// that begins with `{"lines":n` has n lines more. What is no request is answered by
/// `{"error":{"code":...,"message":...}}`.
///
/// A SocketServer with at most 64 clients, lines of at most 64 KiB and answers of at most 1 MiB. A client
/// that sends no request, or takes no answer, for 10 s is dropped.
class ControlServer {
 public:
  using Later = SocketServer::Later;
  /// Gives the answer, without the last line break, or what will give it. Called by step(); while it runs no
  /// other client is served.
  using Handler = std::function<std::variant<std::string, Later>(const Json& request)>;
  using Handlers = std::map<std::string, Handler>;  ///< by the text of `ask`

  struct Counters {
    std::int64_t requests = 0, bad_requests = 0;
  };

  /// Listens at `path`. Errors: those of UnixListener::open, and kFull (no descriptor).
  static Result<std::unique_ptr<ControlServer>> open(const std::string& path, Handlers handlers, const Clock& clock,
                                                     Log& log);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// As those of SocketServer.
  MonoTime step(MonoTime now) { return server_->step(now); }
  void wait_until(MonoTime t) { server_->wait_until(t); }
  void notify() { server_->notify(); }  ///< any thread

  const Counters& counters() const { return counters_; }
  const SocketServer::Counters& clients() const { return server_->counters(); }

 private:
  explicit ControlServer(Handlers handlers) : handlers_(std::move(handlers)) {}
  std::optional<SocketServer::Answer> take(std::string& in, bool ended);
  std::variant<std::string, Later> answer_to(std::string_view line);

  const Handlers handlers_;
  Counters counters_;
  std::unique_ptr<SocketServer> server_;
};

/// `{"error":{"code":...,"message":...}}`.
std::string error_answer(std::string_view code, std::string_view message);

}  // namespace metergate
