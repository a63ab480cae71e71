#include "tests/sim/tcp_port.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>

namespace metersim {

RtuTcpPort::RtuTcpPort(int port, const LineTiming& timing, Station& station)
    : listener_(port),
      wire_("rtu-tcp:" + std::to_string(listener_.port()), timing, station,
            [this](const std::uint8_t* data, std::size_t size) { broadcast(data, size); }) {}

void RtuTcpPort::ready(int fd, short, Nanos now) {
  if (fd == listener_.socket()) {
    listener_.accept_one();
    return;
  }
  std::uint8_t buffer[1024];
  const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size > 0)
    wire_.receive(buffer, static_cast<std::size_t>(size), now);
  else if (size == 0 || errno != EAGAIN)
    listener_.close_one(fd);
}

void RtuTcpPort::broadcast(const std::uint8_t* data, std::size_t size) {
  for (const int connection : listener_.connections())
    send(connection, data, size, MSG_NOSIGNAL);  // what a connection does not take is lost, as on a wire
}

void RtuTcpPort::unplug(Nanos now) {
  listener_.shut();
  wire_.hang_up(now);
}

MbapPort::MbapPort(int port, bool late_drop, Station& station)
    : listener_(port), station_(station), name_("tcp:" + std::to_string(listener_.port())), late_drop_(late_drop) {}

void MbapPort::ready(int fd, short, Nanos now) {
  if (fd == listener_.socket()) {
    const int fresh = listener_.accept_one();
    if (fresh < 0) return;
    const auto sink = [fresh](const std::uint8_t* data, std::size_t size) { send(fresh, data, size, MSG_NOSIGNAL); };
    sessions_.push_back({fresh, Transmitter(name_, station_, 1, 0, sink), {}});
    return;
  }
  const auto session =
      std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& each) { return each.fd == fd; });
  if (session == sessions_.end()) return;
  std::uint8_t buffer[1024];
  const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size > 0) session->received.insert(session->received.end(), buffer, buffer + size);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0 || !take_frames(*session, now)) close_session(fd, now);
}

bool MbapPort::take_frames(Session& session, Nanos now) {
  Bytes& bytes = session.received;
  while (bytes.size() > kMbapHeader) {
    const std::size_t length = word_at(bytes, 4);
    if (word_at(bytes, 2) != 0 || length < 2 || length > 254) {
      station_.garbage(name_, bytes, now);
      return false;
    }
    if (bytes.size() < 6 + length) break;
    take_request(session, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(6 + length)), now);
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(6 + length));
  }
  return true;
}

void MbapPort::take_request(Session& session, const Bytes& frame, Nanos now) {
  Arrival arrival;
  arrival.line = name_;
  arrival.unit = frame[6];
  arrival.pdu.assign(frame.begin() + kMbapHeader, frame.end());
  arrival.now = now;
  arrival.gateway = true;
  LineStats& stats = station_.line(name_);
  if (stats.first < 0) stats.first = now;
  auto answer = station_.request(arrival);
  if (late_drop_) session.transmitter.drop_waiting("superseded", true, now);
  if (!answer) return;
  // Without a CRC a damaged answer must show otherwise: it carries another transaction's number.
  const auto transaction = static_cast<std::uint16_t>(word_at(frame, 0) + (answer->fault.corrupt ? 0x100U : 0U));
  answer->fault.corrupt = false;
  const Framing framing{
      [transaction](std::uint8_t unit, const Bytes& pdu) { return mbap_frame(transaction, unit, pdu); }, 0};
  const Nanos turn = answer->turn;
  metersim::send(session.transmitter, framing, std::move(*answer), now + turn, turn, now);
}

std::optional<Due> MbapPort::deadline() const {
  std::optional<Due> first;
  for (const auto& session : sessions_)
    if (const auto due = session.transmitter.deadline(); due && (!first || due->at < first->at)) first = due;
  return first;
}

void MbapPort::step(Nanos now) {
  for (auto& session : sessions_) session.transmitter.step(now);
  if (!sessions_.empty()) station_.line(name_).last = now;
}

void MbapPort::close_session(int fd, Nanos now) {
  sessions_.remove_if([&](Session& session) {
    if (session.fd == fd) session.transmitter.stop("connection closed", now);
    return session.fd == fd;
  });
  listener_.close_one(fd);
}

void MbapPort::unplug(Nanos now) {
  for (auto& session : sessions_) session.transmitter.stop("unplugged", now);
  sessions_.clear();
  listener_.shut();
}

}  // namespace metersim
