#include "tests/sim/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/sim/text.h"

namespace metersim {

Control::Control(std::string path, Station& station, std::vector<Port*> ports)
    : path_(std::move(path)), station_(station), ports_(std::move(ports)) {
  if (path_.empty()) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) throw Refused("--control " + path_ + ": longer than 107 characters");
  path_.copy(address.sun_path, path_.size());
  unlink(path_.c_str());
  socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw Refused("--control " + path_ + ": " + strerror(errno));
}

Control::~Control() {
  if (socket_ < 0) return;
  close(socket_);
  unlink(path_.c_str());
}

void Control::ready(int, short, Nanos now) {
  char text[1024];
  sockaddr_un sender{};
  socklen_t size = sizeof sender;
  auto* address = reinterpret_cast<sockaddr*>(&sender);
  const ssize_t length = recvfrom(socket_, text, sizeof text, 0, address, &size);
  if (length < 0) return;
  std::string answer;
  try {
    answer = execute(trimmed(std::string_view(text, static_cast<std::size_t>(length))), now);
  } catch (const Refused& why) {
    answer = std::string("error: ") + why.what();
  }
  if (size > sizeof sender.sun_family) sendto(socket_, answer.data(), answer.size(), MSG_NOSIGNAL, address, size);
}

std::string Control::execute(const std::string& command, Nanos now) {
  const auto [name, value] = key_value(command);
  if (name == "stats") return station_.stats_json();
  if (name != "plug" && name != "unplug") {
    if (station_.apply(command, now)) return "ok";
    throw Refused("'" + command + "' is no command (see --help)");
  }
  const auto count = static_cast<std::int64_t>(ports_.size());
  const std::int64_t only = value.empty() ? -1 : whole_number(value, 0, count - 1, name);
  for (std::int64_t i = 0; i < count; ++i) {
    if (only >= 0 && only != i) continue;
    auto* port = ports_[static_cast<std::size_t>(i)];
    if (name == "plug")
      port->plug(now);
    else
      port->unplug(now);
  }
  station_.note(command, now);
  return "ok";
}

}  // namespace metersim
