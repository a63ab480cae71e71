#include "agent/admin/http_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace metergate {

namespace {

constexpr std::size_t kMaxClients = 16;
constexpr std::size_t kMaxHead = 4 << 10;
constexpr int kQueue = 16;
constexpr Millis kHeadPatience{5'000};
constexpr Millis kAnswerPatience{30'000};
constexpr Millis kAcceptPause{10};
constexpr Millis kNoDescriptorPause{1'000};
constexpr Millis kListenPause{10'000};

/// A listening socket, or none and errno.
Fd listen_at(const Endpoint& address) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(static_cast<std::uint16_t>(address.port));
  const bool is_v4 = ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4) ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
  Fd fd{::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return Fd{};
  const auto* to = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  if (::bind(fd.get(), to, is_v4 ? sizeof v4 : sizeof v6) != 0 || ::listen(fd.get(), kQueue) != 0) return Fd{};
  return fd;
}

bool would_block() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Result<std::unique_ptr<HttpListener>> HttpListener::make(const Endpoint& address, std::unique_ptr<HttpServer> server,
                                                         const Clock& clock, Log& log) {
  Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!event) return Error{Errc::kFull, std::string("no eventfd: ") + std::strerror(errno)};
  return std::unique_ptr<HttpListener>(new HttpListener(address, std::move(server), std::move(event), clock, log));
}

HttpListener::HttpListener(const Endpoint& address, std::unique_ptr<HttpServer> server, Fd event, const Clock& clock,
                           Log& log)
    : address_(address), server_(std::move(server)), event_(std::move(event)), clock_(clock), log_(log) {}

void HttpListener::notify() { ::eventfd_write(event_.get(), 1); }

void HttpListener::wait_until(MonoTime t) {
  std::vector<pollfd> fds{{event_.get(), POLLIN, 0}};
  const MonoTime now = clock_.mono();
  if (listener_ && now >= next_) fds.push_back({listener_.get(), POLLIN, 0});
  for (const Client& client : clients_) {
    const int events = client.out.empty() ? POLLIN : POLLOUT;
    fds.push_back({client.socket.get(), static_cast<short>(events), 0});
  }
  const Nanos rest = std::clamp<Nanos>(t - now, Nanos{0}, std::chrono::hours(1));
  ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<Millis>(rest).count()));
  eventfd_t ignored = 0;
  ::eventfd_read(event_.get(), &ignored);
}

MonoTime HttpListener::step(MonoTime now) {
  if (now >= next_) listener_ ? accept_client(now) : listen(now);
  MonoTime next = next_ > now ? next_ : MonoTime::max();
  for (auto client = clients_.begin(); client != clients_.end();) {
    if (now >= client->deadline || !serve(*client, now)) {
      client = clients_.erase(client);
    } else {
      next = std::min(next, (client++)->deadline);
    }
  }
  return next;
}

void HttpListener::listen(MonoTime now) {
  listener_ = listen_at(address_);
  const int reason = errno;
  const std::string where = address_.host + " port " + std::to_string(address_.port);
  if (listener_) {
    next_ = now;
    return log_.info("serving http", {{"address", where}});
  }
  next_ = now + kListenPause;
  if (const auto times = throttle_.due("listen", std::to_string(reason), now))
    log_.warn("no http at --http, trying again every 10 s",
              {{"address", where}, {"why", std::strerror(reason)}, {"times", std::to_string(times)}});
}

void HttpListener::accept_client(MonoTime now) {
  Fd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!socket && would_block()) return;
  next_ = now + (socket || errno == ECONNABORTED ? kAcceptPause : kNoDescriptorPause);
  if (!socket) return;
  if (clients_.size() >= kMaxClients) clients_.pop_front();
  Client client;
  client.socket = std::move(socket);
  client.deadline = now + kHeadPatience;
  clients_.push_back(std::move(client));
}

/// False: the client is done with.
bool HttpListener::serve(Client& client, MonoTime now) {
  if (client.out.empty() && !receive(client, now)) return false;
  return client.out.empty() || send_out(client);
}

bool HttpListener::receive(Client& client, MonoTime now) {
  std::array<char, kMaxHead> buffer;
  const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) return got < 0 && would_block();
  client.in.append(buffer.data(), static_cast<std::size_t>(got));
  const std::size_t end = client.in.find("\r\n\r\n");
  if (end > kMaxHead - 4 && client.in.size() < kMaxHead) return true;
  client.deadline = now + kAnswerPatience;
  if (end > kMaxHead - 4) {
    client.out = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  } else {
    client.out = server_->answer(std::string_view(client.in).substr(0, end + 2));
  }
  client.in = {};
  return !client.out.empty();
}

/// False: all is sent, or the client is gone.
bool HttpListener::send_out(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t put =
        ::send(client.socket.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (put < 0) return would_block();
    client.sent += static_cast<std::size_t>(put);
  }
  return false;
}

}  // namespace metergate
