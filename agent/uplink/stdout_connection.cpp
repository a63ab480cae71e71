#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "agent/uplink/connection.h"

namespace metergate {

namespace {

constexpr Millis kPauseOfSlowReader{20};
constexpr Millis kPauseOfQuiet{1000};

class StdoutConnection final : public Connection {
 public:
  StdoutConnection(int fd, ConnectionListener& listener) : fd_(fd), listener_(listener) {}

  void start() override { listener_.on_connected(true); }
  void subscribe(const std::vector<std::string>& topics) override {
    static_cast<void>(topics);
    listener_.on_subscribed({});
  }

  bool publish(Handle handle, const Message& message) override {
    if (lost_ || !rest_.empty()) return false;
    rest_ = message.payload + "\n";
    handle_ = handle;
    flush();
    return true;
  }

  void step() override { flush(); }
  Millis pace() const override { return rest_.empty() ? kPauseOfQuiet : kPauseOfSlowReader; }
  void disconnect(Millis patience) override { static_cast<void>(patience); }

 private:
  /// Whether PIPE_BUF bytes would be taken without blocking (pipe(7)). Also how a reader that is gone shows.
  bool ready() {
    pollfd p{fd_, POLLOUT, 0};
    if (lost_ || ::poll(&p, 1, 0) <= 0) return false;
    if ((p.revents & (POLLERR | POLLNVAL)) != 0) lose("the reader is gone");
    return !lost_ && (p.revents & POLLOUT) != 0;
  }

  void flush() {
    while (ready() && !rest_.empty()) {
      const ssize_t n = ::write(fd_, rest_.data(), std::min<std::size_t>(rest_.size(), PIPE_BUF));
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
      if (n < 0) return lose(std::strerror(errno));
      rest_.erase(0, static_cast<std::size_t>(n));
      if (rest_.empty()) listener_.on_acked(handle_);
    }
  }

  void lose(const std::string& why) {
    lost_ = true;
    listener_.on_lost("stdout: " + why);
  }

  int fd_;
  ConnectionListener& listener_;
  Handle handle_ = 0;
  std::string rest_;  // of the line that is being written
  bool lost_ = false;
};

class StdoutConnector final : public Connector {
 public:
  explicit StdoutConnector(int fd) : fd_(fd) {}
  std::unique_ptr<Connection> make(ConnectionListener& listener) override {
    return std::make_unique<StdoutConnection>(fd_, listener);
  }
  bool records_only() const override { return true; }

 private:
  int fd_;
};

}  // namespace

std::unique_ptr<Connector> make_stdout_connector(int fd) {
  std::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<StdoutConnector>(fd);
}

}  // namespace metergate
