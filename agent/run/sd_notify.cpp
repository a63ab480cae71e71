#include "agent/run/sd_notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "agent/base/fd.h"
#include "agent/base/text.h"

namespace metergate {
namespace {

std::optional<std::int64_t> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return {};
  const auto number = parse_integer(text, 0, std::numeric_limits<std::int64_t>::max());
  return number ? std::optional<std::int64_t>{*number} : std::nullopt;
}

}  // namespace

Notify systemd_notify() {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  const std::size_t length = name == nullptr ? 0 : std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) {
    return [](const std::string&) {};
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto socket = std::make_shared<Fd>(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{1, 0};
  ::setsockopt(socket->get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  return [socket, address, size](const std::string& state) {
    ::sendto(socket->get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
             size);
  };
}

std::optional<Micros> systemd_watchdog() {
  const auto usec = number_of("WATCHDOG_USEC");
  if (!usec || *usec == 0) return {};
  if (std::getenv("WATCHDOG_PID") != nullptr && number_of("WATCHDOG_PID") != std::int64_t{::getpid()}) return {};
  return Micros{*usec};
}

}  // namespace metergate
