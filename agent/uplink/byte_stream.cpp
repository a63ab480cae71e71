#include "agent/uplink/byte_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace metergate {

namespace {

bool again() { return errno == EAGAIN || errno == EINTR; }

class PlainStream final : public ByteStream {
 public:
  PlainStream(Fd socket, const Clock& clock) : socket_(std::move(socket)), clock_(clock) {}

  Status write(std::string_view bytes, MonoTime until) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (!again()) {
        return Error{Errc::kBusDown, "the connection is gone"};
      } else if (!wait_for_socket(socket_.get(), POLLOUT, until, clock_)) {
        return Error{Errc::kTimeout, "nothing is taken"};
      }
    }
    return {};
  }

  Result<std::string> read(MonoTime until) override {
    std::array<char, 4096> buffer;
    for (;;) {
      if (!wait_for_socket(socket_.get(), POLLIN, until, clock_)) return Error{Errc::kTimeout, "nothing comes"};
      const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) return std::string(buffer.data(), static_cast<std::size_t>(n));
      if (n == 0 || !again()) return Error{Errc::kBusDown, "the connection is gone"};
    }
  }

 private:
  Fd socket_;
  const Clock& clock_;
};

}  // namespace

bool wait_for_socket(int socket, short events, MonoTime until, const Clock& clock) {
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(until - clock.mono());
    if (left <= Millis{0}) return false;
    pollfd fd{socket, events, 0};
    const int patience = static_cast<int>(std::min<Millis::rep>(left.count(), 60'000));
    if (::poll(&fd, 1, patience) > 0) return true;
  }
}

std::unique_ptr<ByteStream> make_plain_stream(Fd socket, const Clock& clock) {
  return std::make_unique<PlainStream>(std::move(socket), clock);
}

}  // namespace metergate
