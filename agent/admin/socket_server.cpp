#include "agent/admin/socket_server.h"

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

constexpr int kAnswersAStep = 8;  // of one client
constexpr Millis kLongestStep{1'000};
constexpr Millis kNoDescriptorPause{1'000};

bool would_block() { return errno == EAGAIN || errno == EINTR; }

bool has_hung_up(int socket) {
  pollfd fd{socket, 0, 0};
  return ::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

Result<std::unique_ptr<SocketServer>> SocketServer::make(std::string name, std::unique_ptr<Listener> listener,
                                                         Protocol protocol, Limits limits, const Clock& clock,
                                                         Log& log) {
  Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!event) return Error{Errc::kFull, std::string("no eventfd: ") + std::strerror(errno)};
  return std::unique_ptr<SocketServer>(new SocketServer(std::move(name), std::move(listener), std::move(protocol),
                                                        std::move(limits), std::move(event), clock, log));
}

SocketServer::SocketServer(std::string name, std::unique_ptr<Listener> listener, Protocol protocol, Limits limits,
                           Fd event, const Clock& clock, Log& log)
    : name_(std::move(name)),
      listener_(std::move(listener)),
      protocol_(std::move(protocol)),
      limits_(std::move(limits)),
      event_(std::move(event)),
      clock_(clock),
      log_(log) {}

void SocketServer::notify() { ::eventfd_write(event_.get(), 1); }

void SocketServer::wait_until(MonoTime t) {
  std::vector<pollfd> fds{{event_.get(), POLLIN, 0}};
  const MonoTime now = clock_.mono();
  if (listener_->fd() >= 0 && now >= accept_after_) fds.push_back({listener_->fd(), POLLIN, 0});
  for (const Client& client : clients_) {
    // Of one that waits for its answer only the end is of interest, which poll(2) always tells.
    const int events = client.later ? 0 : client.out.empty() ? POLLIN : POLLOUT;
    fds.push_back({client.socket.get(), static_cast<short>(events), 0});
  }
  const Nanos rest = std::clamp<Nanos>(t - now, Nanos{0}, std::chrono::hours(1));
  // Rounded up, or the last part of a millisecond would be spent spinning.
  ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<Millis>(rest).count()));
  eventfd_t ignored = 0;
  ::eventfd_read(event_.get(), &ignored);
}

MonoTime SocketServer::step(MonoTime now) {
  MonoTime next = listener_->step(now);
  accept_clients(now);
  if (accept_after_ > now) next = std::min(next, accept_after_);
  for (auto client = clients_.begin(); client != clients_.end();) {
    const Served served = serve(*client);
    const bool slow = served != Served::kGone && now >= client->deadline;
    if (slow) ++counters_.dropped_clients;
    if (slow || served == Served::kGone) {
      client = clients_.erase(client);
      continue;
    }
    next = std::min(next, served == Served::kMore ? now : client->deadline);
    ++client;
    if (client == clients_.end() || clock_.mono() - now < kLongestStep) continue;
    clients_.splice(clients_.begin(), clients_, client, clients_.end());  // the others come first
    return now;
  }
  return next;
}

void SocketServer::accept_clients(MonoTime now) {
  for (std::size_t i = 0; i < limits_.clients && listener_->fd() >= 0 && now >= accept_after_; ++i) {
    Fd socket{::accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause_accepting(now, errno);
      return;
    }
    if (limits_.between_connections > Millis{0}) accept_after_ = now + limits_.between_connections;
    if (clients_.size() >= limits_.clients) {
      ++counters_.refused_clients;
      if (!limits_.busy.empty()) {
        ::send(socket.get(), limits_.busy.data(), limits_.busy.size(), MSG_NOSIGNAL);
        continue;
      }
      clients_.pop_front();
    }
    Client client;
    client.socket = std::move(socket);
    client.deadline = now + limits_.request;
    clients_.push_back(std::move(client));
  }
}

/// The caller stays in the queue and would end every wait at once.
void SocketServer::pause_accepting(MonoTime now, int reason) {
  accept_after_ = now + kNoDescriptorPause;
  const auto times = throttle_.due(name_, std::to_string(reason), now);
  if (times > 0)
    log_.warn(name_ + " takes no client", {{"why", std::strerror(reason)}, {"times", std::to_string(times)}});
}

SocketServer::Served SocketServer::serve(Client& client) {
  for (int i = 0; i < kAnswersAStep;) {
    if (client.later && !answer_later(client)) return has_hung_up(client.socket.get()) ? Served::kGone : Served::kWaits;
    if (!send_out(client)) return Served::kGone;
    if (!client.out.empty()) return Served::kWaits;
    if (client.last) return Served::kGone;
    if (auto answer = protocol_(client.in, client.ended)) {
      put_out(client, std::move(*answer));
      ++i;
    } else if (client.ended) {
      return Served::kGone;
    } else if (!receive(client)) {
      return Served::kWaits;
    }
  }
  return Served::kMore;
}

void SocketServer::put_out(Client& client, Answer answer) {
  client.out = std::move(answer.bytes);
  client.later = std::move(answer.later);
  client.last = answer.last;
  client.deadline = clock_.mono() + (client.later ? limits_.later : limits_.answer);
}

/// False: there is none yet.
bool SocketServer::answer_later(Client& client) {
  auto bytes = client.later();
  if (!bytes) return false;
  Answer answer;
  answer.bytes = std::move(*bytes);
  answer.last = client.last;
  put_out(client, std::move(answer));
  return true;
}

/// False: the client is gone.
bool SocketServer::send_out(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t put =
        ::send(client.socket.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (put < 0) return would_block();
    client.sent += static_cast<std::size_t>(put);
  }
  if (client.out.empty()) return true;
  client.out.clear();
  client.sent = 0;
  client.deadline = clock_.mono() + limits_.request;
  return true;
}

/// False: nothing to read now.
bool SocketServer::receive(Client& client) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && would_block()) return false;
  if (got > 0) {
    client.in.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  client.ended = true;
  if (got < 0) client.in.clear();  // nobody is there to take an answer
  return true;
}

}  // namespace metergate
