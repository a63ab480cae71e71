#include "agent/admin/control_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "agent/admin/unix_socket.h"

namespace metergate {

namespace {

constexpr std::size_t kMaxAnswer = 1 << 20;

/// Whether all lines are there that the first one speaks of.
bool is_whole(const std::string& answer) {
  constexpr std::string_view head = "{\"lines\":";
  if (answer.compare(0, head.size(), head) != 0) return true;
  const auto lines = std::strtoll(answer.c_str() + head.size(), nullptr, 10);
  return std::count(answer.begin(), answer.end(), '\n') > lines;
}

/// The caller looks again, whatever ended the wait.
short wait_for(const Fd& socket, short events, Nanos patience) {
  pollfd fd{socket.get(), events, 0};
  const Nanos rest = std::clamp<Nanos>(patience, Nanos{0}, std::chrono::hours(1));
  ::poll(&fd, 1, static_cast<int>(std::chrono::ceil<Millis>(rest).count()));
  return fd.revents;
}

}  // namespace

Result<std::string> request_at(const std::string& path, const std::string& request, Millis timeout,
                               const Clock& clock) {
  const MonoTime until = clock.mono() + timeout;
  auto socket = connect_unix(path, timeout);
  if (!socket) return socket.error();
  const std::string line = request + '\n';
  std::size_t sent = 0;
  std::string answer;
  while (clock.mono() < until) {
    const short events = sent < line.size() ? POLLIN | POLLOUT : POLLIN;
    if ((wait_for(*socket, events, until - clock.mono()) & POLLOUT) != 0) {
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
