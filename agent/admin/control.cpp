#include "agent/admin/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace metergate {
namespace {

constexpr std::size_t kMaxClients = 16;
constexpr std::size_t kMaxLine = 64 << 10;
constexpr std::size_t kMaxAnswer = 1 << 20;
constexpr int kAnswersAStep = 8;  // of one client, then the others have their turn
constexpr Millis kPatience{10'000};
constexpr Millis kLongestAnswer{300'000};
constexpr Millis kLongestStep{1'000};
constexpr Millis kNoDescriptorPause{1'000};

/// poll(2), ended early by nothing that matters: who calls it looks again.
void wait_for(std::vector<pollfd>& fds, Nanos patience) {
  const Nanos rest = std::clamp<Nanos>(patience, Nanos{0}, std::chrono::hours(1));
  // Rounded up, or the last part of a millisecond would be spent spinning.
  ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<Millis>(rest).count()));
}

bool has_hung_up(int socket) {
  pollfd fd{socket, 0, 0};
  return ::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0;
}

/// Whether all lines are there that the first one speaks of.
bool is_whole(const std::string& answer) {
  constexpr std::string_view head = "{\"lines\":";
  if (answer.compare(0, head.size(), head) != 0) return true;
  const auto lines = std::strtoll(answer.c_str() + head.size(), nullptr, 10);
  return std::count(answer.begin(), answer.end(), '\n') > lines;
}

}  // namespace

std::string error_answer(std::string_view code, std::string_view message) {
  JsonWriter out;
  out.begin_object()
      .key("error")
      .begin_object()
      .member("code", code)
      .member("message", message)
      .end_object()
      .end_object();
  return out.take();
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& path, Handlers handlers,
                                                           const Clock& clock, Log& log) {
  auto listener = UnixListener::open(path);
  if (!listener) return listener.error();
  Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!event) return Error{Errc::kFull, std::string("no eventfd: ") + std::strerror(errno)};
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::move(*listener), std::move(event), std::move(handlers), clock, log));
}

ControlServer::ControlServer(UnixListener listener, Fd event, Handlers handlers, const Clock& clock, Log& log)
    : listener_(std::move(listener)),
      event_(std::move(event)),
      handlers_(std::move(handlers)),
      clock_(clock),
      log_(log) {}

ControlServer::~ControlServer() = default;

void ControlServer::notify() { ::eventfd_write(event_.get(), 1); }

void ControlServer::wait_until(MonoTime t) {
  std::vector<pollfd> fds{{event_.get(), POLLIN, 0}};
  const MonoTime now = clock_.mono();
  if (now >= accept_after_) fds.push_back({listener_.fd(), POLLIN, 0});
  for (const Client& client : clients_) {
    // Of one that waits for its answer only the end is of interest, which poll(2) always tells.
    const int events = client.later ? 0 : client.out.empty() ? POLLIN : POLLOUT;
    fds.push_back({client.socket.get(), static_cast<short>(events), 0});
  }
  wait_for(fds, t - now);
  eventfd_t ignored = 0;
  ::eventfd_read(event_.get(), &ignored);
}

MonoTime ControlServer::step(MonoTime now) {
  accept_clients(now);
  MonoTime next = accept_after_ > now ? accept_after_ : MonoTime::max();
  for (auto client = clients_.begin(); client != clients_.end();) {
    const Served served = serve(*client);
    const bool silent = served != Served::kGone && now >= client->deadline;
    if (silent) ++counters_.dropped_clients;
    if (silent || served == Served::kGone) {
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

void ControlServer::accept_clients(MonoTime now) {
  if (now < accept_after_) return;
  for (std::size_t i = 0; i < kMaxClients; ++i) {
    Fd socket{::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause_accepting(now, errno);
      return;
    }
    if (clients_.size() >= kMaxClients) {
      ++counters_.refused_clients;
      const std::string busy = error_answer("busy", "16 clients are connected already; try again") + '\n';
      ::send(socket.get(), busy.data(), busy.size(), MSG_NOSIGNAL);
      continue;
    }
    Client client;
    client.socket = std::move(socket);
    client.deadline = now + kPatience;
    clients_.push_back(std::move(client));
  }
}

/// The caller stays in the queue and would end every wait at once.
void ControlServer::pause_accepting(MonoTime now, int reason) {
  accept_after_ = now + kNoDescriptorPause;
  const auto times = throttle_.due("control", std::to_string(reason), now);
  if (times > 0)
    log_.warn("control socket takes no client", {{"why", std::strerror(reason)}, {"times", std::to_string(times)}});
}

ControlServer::Served ControlServer::serve(Client& client) {
  for (int i = 0; i < kAnswersAStep;) {
    if (client.later && !answer_later(client)) return has_hung_up(client.socket.get()) ? Served::kGone : Served::kWaits;
    if (!send_out(client)) return Served::kGone;
    if (!client.out.empty()) return Served::kWaits;
    if (client.last) return Served::kGone;
    if (const auto end = client.in.find('\n'); end <= kMaxLine) {
      answer(client, std::string_view(client.in).substr(0, end));
      client.in.erase(0, end + 1);
      ++i;
    } else if (client.in.size() > kMaxLine) {
      ++counters_.bad_questions;
      client.out = error_answer("bad_question", "a question is one line of at most 65536 bytes") + '\n';
      client.last = true;
    } else if (!receive(client)) {
      return client.last ? Served::kMore : Served::kWaits;
    }
  }
  return Served::kMore;
}

/// False: nothing more to read now, or (`last`) ever.
bool ControlServer::receive(Client& client) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    client.in.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  client.last = true;
  if (got == 0 && !client.in.empty()) answer(client, client.in);  // a last line without its break
  return false;
}

/// False: the client is gone.
bool ControlServer::send_out(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t put =
        ::send(client.socket.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(put);
  }
  if (client.out.empty()) return true;
  client.out.clear();
  client.sent = 0;
  client.deadline = clock_.mono() + kPatience;
  return true;
}

void ControlServer::answer(Client& client, std::string_view line) {
  auto answer = answer_to(line);
  if (auto* text = std::get_if<std::string>(&answer)) return put_out(client, std::move(*text));
  client.later = std::move(*std::get_if<Later>(&answer));
  client.deadline = clock_.mono() + kLongestAnswer;
}

/// False: there is none yet.
bool ControlServer::answer_later(Client& client) {
  auto text = client.later();
  if (!text) return false;
  client.later = nullptr;
  put_out(client, std::move(*text));
  return true;
}

void ControlServer::put_out(Client& client, std::string text) {
  if (text.size() > kMaxAnswer) text = error_answer("too_long", "the answer has more than 1 MiB; ask for less at once");
  client.out = std::move(text) + '\n';
  client.deadline = clock_.mono() + kPatience;
}

std::variant<std::string, ControlServer::Later> ControlServer::answer_to(std::string_view line) {
  ++counters_.questions;
  const auto question = parse_json(line);
  const Json* name = question ? question->find("ask") : nullptr;
  const auto handler = name && name->is(Json::Kind::kText) ? handlers_.find(name->text) : handlers_.end();
  if (handler != handlers_.end()) return handler->second(*question);
  ++counters_.bad_questions;
  if (!question) return error_answer("bad_question", question.error().detail);
  std::string known;
  for (const auto& entry : handlers_) known += (known.empty() ? "" : ", ") + entry.first;
  return error_answer("bad_question", "a question is an object with \"ask\", one of: " + known);
}

Result<std::string> ask(const std::string& path, const std::string& question, Millis timeout, const Clock& clock) {
  const MonoTime until = clock.mono() + timeout;
  auto socket = connect_unix(path, timeout);
  if (!socket) return socket.error();
  const std::string line = question + '\n';
  std::size_t sent = 0;
  std::string answer;
  while (clock.mono() < until) {
    const bool sending = sent < line.size();
    std::vector<pollfd> fds{{socket->get(), static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0}};
    wait_for(fds, until - clock.mono());
    if ((fds[0].revents & POLLOUT) != 0) {
      const ssize_t put = ::send(socket->get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (put > 0) sent += static_cast<std::size_t>(put);
    }
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket->get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0)
      return Error{Errc::kGarbled, "the agent at " + path + " closed the connection before its answer was complete"};
    answer.append(buffer.data(), static_cast<std::size_t>(got));
    if (answer.back() == '\n' && is_whole(answer)) {
      answer.pop_back();
      return answer;
    }
    if (answer.size() > kMaxAnswer) return Error{Errc::kGarbled, "the answer of " + path + " has more than 1 MiB"};
  }
  return Error{Errc::kTimeout,
               "no answer from the agent at " + path + " within " + std::to_string(timeout.count()) + " ms"};
}

}  // namespace metergate
