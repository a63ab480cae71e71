#include "tests/wire/late_slave.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "tests/wire/free_port.h"

namespace metergate {

namespace {

constexpr int kLookMs = 2;
constexpr std::size_t kReadRequest = 8;  // RTU: unit, function, address, count, check sum

bool readable(int fd) {
  pollfd watched{fd, POLLIN, 0};
  return poll(&watched, 1, kLookMs) > 0;
}

}  // namespace

LateSlave::LateSlave(Wire wire, Delay delay, Damage damage, End end, Millis after)
    : wire_(wire), delay_(std::move(delay)), damage_(std::move(damage)), end_(end), end_after_(after) {
  if (wire_ == Wire::kPty) {
    pty_.emplace();
    SerialSettings serial = pty_->settings();
    serial.baud = 115200;
    port_ = serial;
  } else {
    TcpSettings socket;
    listener_ = listen_on_loopback(socket.port);
    socket.host = "127.0.0.1";
    socket.rtu = wire_ == Wire::kRtuOverTcp;
    port_ = socket;
  }
  thread_ = std::thread([this] { run(); });
}

LateSlave::~LateSlave() {
  stop_ = true;
  thread_.join();
}

void LateSlave::run() {
  while (!stop_) {
    if (wire_ == Wire::kPty) {
      serve(pty_->other_end.get());
    } else if (readable(listener_.get())) {
      const Fd connection(accept(listener_.get(), nullptr, nullptr));
      input_.clear();
      due_.clear();
      while (!stop_ && serve(connection.get())) {
      }
    }
  }
}

bool LateSlave::serve(int fd) {
  if (readable(fd)) {
    std::array<std::uint8_t, 512> bytes{};
    const ssize_t n = read(fd, bytes.data(), bytes.size());
    if (n <= 0) return false;
    input_.insert(input_.end(), bytes.begin(), bytes.begin() + n);
    take_requests();
  }
  while (!due_.empty() && due_.front().at <= clock_.mono()) {
    const metersim::Bytes& frame = due_.front().frame;
    if (write(fd, frame.data(), frame.size()) < 0) return false;
    due_.pop_front();
    if (end_ != End::kNever) return hang_up(fd);
  }
  return true;
}

/// The caller closes the descriptor.
bool LateSlave::hang_up(int fd) const {
  clock_.sleep_until(clock_.mono() + end_after_);
  const linger at_once{1, 0};
  if (end_ == End::kReset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  return false;
}

void LateSlave::take_requests() {
  constexpr std::size_t kPduAt = metersim::kMbapHeader, kPdu = 5;
  const bool tcp = wire_ == Wire::kTcp;
  const std::size_t size = tcp ? kPduAt + kPdu : kReadRequest;
  while (input_.size() >= size) {
    const std::size_t pdu = tcp ? kPduAt : 1;
    answer(
        {input_.begin() + static_cast<std::ptrdiff_t>(pdu), input_.begin() + static_cast<std::ptrdiff_t>(pdu + kPdu)},
        tcp ? metersim::word_at(input_, 0) : std::uint16_t{0}, input_[pdu - 1]);
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(size));
  }
}

void LateSlave::answer(const metersim::Bytes& pdu, std::uint16_t transaction, std::uint8_t unit) {
  constexpr int kLastRead = 4;
  const int address = metersim::word_at(pdu, 1), count = metersim::word_at(pdu, 3);
  metersim::Bytes said = pdu;
  if (pdu[0] <= kLastRead) {
    said = {pdu[0], static_cast<std::uint8_t>(2 * count)};
    for (int i = 0; i < count; ++i) metersim::append_word(said, static_cast<std::uint16_t>(address + i));
  }
  metersim::Bytes frame =
      wire_ == Wire::kTcp ? metersim::mbap_frame(transaction, unit, said) : metersim::rtu_frame(unit, said);
  MonoTime at = clock_.mono() + delay_(asked_);
  if (damage_) frame = damage_(asked_, std::move(frame));
  ++asked_;
  if (!due_.empty()) at = std::max(at, due_.back().at);
  due_.push_back({at, std::move(frame)});
}

}  // namespace metergate
