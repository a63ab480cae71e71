#include "drivers/port/port.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "drivers/port/serial_port.h"
#include "drivers/port/socket_port.h"

namespace metergate {

namespace {
constexpr std::size_t kLongestFrame = 300;                          // characters, with room
constexpr Nanos kQuietAfterStrays = std::chrono::milliseconds(20);  // USB adapters hand over every 16 ms
constexpr Nanos kNoisePatience = std::chrono::milliseconds(200);
}  // namespace

void Port::opened(Fd fd) {
  fd_ = std::move(fd);
  last_byte_ = clock_.mono();
}

Error Port::lost(int reason) {
  close();
  return {Errc::kBusDown, name() + ": " + (reason == 0 ? "hung up" : std::strerror(reason))};
}

Status Port::direction(bool) { return {}; }

Status Port::write(const Bytes& bytes) {
  if (!is_open()) return lost(EBADF);
  if (Status sending = direction(true); !sending) {
    close();
    return sending;
  }
  // The other side of a full buffer is as good as gone: a request is far smaller than any buffer.
  if (const ssize_t n = ::write(fd(), bytes.data(), bytes.size()); n != static_cast<ssize_t>(bytes.size())) {
    return lost(n < 0 ? errno : ENOSPC);
  }
  const Nanos on_wire = char_time() * static_cast<Nanos::rep>(bytes.size());
  if (on_wire > Nanos{0}) clock_.sleep_until(clock_.mono() + on_wire);
  last_byte_ = clock_.mono();
  return direction(false);
}

Result<std::size_t> Port::read(std::uint8_t* to, std::size_t size, MonoTime deadline) {
  for (;;) {
    if (!is_open()) return lost(EBADF);
    const ssize_t n = ::read(fd(), to, size);
    if (n > 0) {
      last_byte_ = clock_.mono();
      return static_cast<std::size_t>(n);
    }
    if (n == 0) return lost(0);
    if (errno != EAGAIN && errno != EINTR) return lost(errno);
    const MonoTime now = clock_.mono();
    if (now >= deadline) return Error{Errc::kTimeout, name() + ": nothing came in time"};
    const timespec wait{static_cast<time_t>((deadline - now) / std::chrono::seconds(1)),
                        static_cast<long>(((deadline - now) % std::chrono::seconds(1)).count())};
    pollfd watched{fd(), POLLIN, 0};
    ppoll(&watched, 1, &wait, nullptr);
  }
}

Status Port::discard(Bytes* strays) {
  std::array<std::uint8_t, kLongestFrame> bytes{};
  // Bounded against a peer that sends without end; what is left shows as an answer that does not fit.
  for (int round = 0; round < 64; ++round) {
    const Result<std::size_t> n = read(bytes.data(), bytes.size(), MonoTime{});
    if (!n && n.error().code != Errc::kTimeout) return n.error();
    if (!n) break;
    strays->insert(strays->end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*n));
  }
  return {};
}

void Port::wait_for_silence(Nanos silence) const {
  if (clock_.mono() < last_byte_ + silence) clock_.sleep_until(last_byte_ + silence);
}

Status Port::settle_for(Nanos silence, Bytes* strays) {
  if (!strays->empty()) silence = std::max(silence, kQuietAfterStrays);
  const MonoTime patience = clock_.mono() + silence + kNoisePatience + char_time() * kLongestFrame;
  for (;;) {
    wait_for_silence(silence);
    const std::size_t before = strays->size();
    if (Status taken = discard(strays); !taken) return taken;
    if (strays->size() == before) return {};
    silence = std::max(silence, kQuietAfterStrays);
    if (clock_.mono() > patience) {
      return Error{Errc::kGarbled,
                   name() + ": never silent, nothing was asked; is there a second master, or a line without bias?"};
    }
  }
}

std::unique_ptr<Port> make_port(const BusSettings& settings, const Clock& clock) {
  if (const auto* serial = std::get_if<SerialSettings>(&settings.port)) {
    return std::make_unique<SerialPort>(*serial, clock);
  }
  return std::make_unique<SocketPort>(std::get<TcpSettings>(settings.port), clock);
}

}  // namespace metergate
