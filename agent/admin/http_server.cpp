#include "agent/admin/http_server.h"

#include <utility>

#include "agent/admin/tcp_listener.h"
#include "agent/base/log_throttle.h"

namespace metergate {

namespace {
constexpr std::size_t kMaxHead = 4 << 10;
constexpr Millis kTellTokens{60'000};
}  // namespace

Result<std::unique_ptr<SocketServer>> make_http_server(const Endpoint& address, HttpHandler handler,
                                                       const std::string& token, const Clock& clock, Log& log) {
  const auto throttle = std::make_shared<LogThrottle>(kTellTokens);  // shared: a std::function has to be copyable
  const auto wrong_token = [throttle, &clock, &log] {
    if (const auto times = throttle->due("http", "token", clock.mono()))
      log.warn("http: a request with a wrong token", {{"times", std::to_string(times)}});
  };
  SocketServer::Limits limits;
  limits.request = Millis{5'000};
  limits.answer = Millis{30'000};
  limits.between_connections = Millis{10};
  const auto protocol = [responder = HttpResponder(std::move(handler), token, wrong_token)](
                            std::string& in, bool) -> std::optional<SocketServer::Answer> {
    const std::size_t end = in.find("\r\n\r\n");
    const bool whole = end <= kMaxHead - 4;
    if (!whole && in.size() < kMaxHead) return std::nullopt;
    SocketServer::Answer answer;
    answer.bytes = whole ? responder.answer(std::string_view(in).substr(0, end + 2))
                         : http_error(431, "the head of a request has at most 4096 bytes");
    answer.last = true;
    in.clear();
    return answer;
  };
  return SocketServer::make("http", std::make_unique<TcpListener>(address, log), protocol, limits, clock, log);
}

}  // namespace metergate
