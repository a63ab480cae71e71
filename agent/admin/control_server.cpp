#include "agent/admin/control_server.h"

#include <utility>

#include "agent/admin/unix_socket.h"

namespace metergate {

namespace {

constexpr std::size_t kMaxClients = 64;  // 16 that wait for one bus keep nobody from another, nor from a pause
constexpr std::size_t kMaxLine = 64 << 10;
constexpr std::size_t kMaxAnswer = 1 << 20;

/// An answer's line, or what is wrong with its length.
std::string line_of(std::string text) {
  if (text.size() > kMaxAnswer) text = error_answer("too_long", "the answer has more than 1 MiB; ask for less at once");
  return std::move(text) + '\n';
}

}  // namespace

std::string error_answer(std::string_view code, std::string_view message) {
  JsonWriter out;
  out.begin_object().key("error").begin_object().member("code", code).member("message", message);
  return out.end_object().end_object().take();
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& path, Handlers handlers,
                                                           const Clock& clock, Log& log) {
  auto listener = UnixListener::open(path, &log);
  if (!listener) return listener.error();
  SocketServer::Limits limits;
  limits.clients = kMaxClients;
  limits.busy =
      error_answer("busy", std::to_string(kMaxClients) + " clients are connected already; try again later") + '\n';
  std::unique_ptr<ControlServer> control(new ControlServer(std::move(handlers)));
  const auto protocol = [server = control.get()](std::string& in, bool ended) { return server->take(in, ended); };
  auto server = SocketServer::make("control socket", std::make_unique<UnixListener>(std::move(*listener)), protocol,
                                   limits, clock, log);
  if (!server) return server.error();
  control->server_ = std::move(*server);
  return control;
}

std::optional<SocketServer::Answer> ControlServer::take(std::string& in, bool ended) {
  SocketServer::Answer answer;
  std::size_t end = in.find('\n');
  if (end == std::string::npos && ended && !in.empty()) end = in.size();  // a last line without its break
  if (end <= kMaxLine) {
    auto given = answer_to(std::string_view(in).substr(0, end));
    in.erase(0, end + 1);
    if (auto* text = std::get_if<std::string>(&given)) {
      answer.bytes = line_of(std::move(*text));
    } else {
      answer.later = [later = std::move(*std::get_if<Later>(&given))]() -> std::optional<std::string> {
        auto late = later();
        return late ? std::optional<std::string>(line_of(std::move(*late))) : std::nullopt;
      };
    }
    return answer;
  }
  if (in.size() <= kMaxLine) return std::nullopt;
  ++counters_.bad_requests;
  answer.bytes = line_of(error_answer("bad_request", "a request is one line of at most 65536 bytes"));
  answer.last = true;
  return answer;
}

std::variant<std::string, ControlServer::Later> ControlServer::answer_to(std::string_view line) {
  ++counters_.requests;
  const auto request = parse_json(line);
  const Json* name = request ? request->find("ask") : nullptr;
  const auto handler = name && name->is(Json::Kind::kText) ? handlers_.find(name->text) : handlers_.end();
  if (handler != handlers_.end()) return handler->second(*request);
  ++counters_.bad_requests;
  if (!request) return error_answer("bad_request", request.error().detail);
  std::string known;
  for (const auto& entry : handlers_) known += (known.empty() ? "" : ", ") + entry.first;
  return error_answer("bad_request", "a request is an object with \"ask\", one of: " + known);
}

}  // namespace metergate
