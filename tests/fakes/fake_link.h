#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "drivers/modbus/rtu_frames.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

/// Units behind a serial server that buffers: every request is answered at most once, in order, however late. Each
/// register's value names its unit and address.
class FakeLink : public ModbusLink {
 public:
  struct Asked {
    int unit;
    Bytes pdu;
    MonoTime at;
  };
  /// How long after the request its answer is ready; nothing: lost.
  using Delay = std::function<std::optional<Nanos>(const Asked&)>;
  /// What the meter says.
  using Meter = std::function<Bytes(int unit, const Bytes& pdu)>;

  explicit FakeLink(const FakeClock& clock) : clock_(clock) {}

  static std::uint16_t value(int unit, int address) { return static_cast<std::uint16_t>(unit * 1000 + address); }
  static Bytes exception(const Bytes& pdu, std::uint8_t code) {
    return {static_cast<std::uint8_t>(pdu[0] | 0x80), code};
  }
  static Bytes answer(int unit, const Bytes& pdu) {
    if (pdu[0] > 4) return {pdu.begin(), pdu.begin() + 5};
    const int address = pdu[1] << 8 | pdu[2], count = pdu[3] << 8 | pdu[4];
    if (pdu[0] < 3) return bits(pdu[0], count);
    Bytes out{pdu[0], static_cast<std::uint8_t>(2 * count)};
    for (int i = 0; i < count; ++i) {
      out.push_back(static_cast<std::uint8_t>(value(unit, address + i) >> 8));
      out.push_back(static_cast<std::uint8_t>(value(unit, address + i) & 0xFF));
    }
    return out;
  }

  Status open() override {
    if (unplugged) return Error{Errc::kBusDown, "no such device"};
    open_ = true;
    server_closed = false;
    connected_ = clock_.mono();
    ++opens;
    return {};
  }
  void close() override {
    open_ = false;
    if (forgets_on_close) coming_.clear();
  }
  bool is_open() const override { return open_; }
  std::string name() const override { return "fake"; }

  Status settle(Nanos gap, Bytes* strays) override {
    gaps.push_back(gap);
    if (unplugged || server_closed) return gone();
    strays->insert(strays->end(), noise.begin(), noise.end());
    noise.clear();
    for (; !coming_.empty() && coming_.front().at <= clock_.mono(); coming_.pop_front()) {
      const Bytes frame = rtu_frame(coming_.front().unit, coming_.front().pdu);
      strays->insert(strays->end(), frame.begin(), frame.end());
    }
    return {};
  }

  const Bytes& sent_bytes() const override { return sent_; }
  const Bytes& heard_bytes() const override { return noise; }

  Sent send(int unit, const Bytes& pdu) override {
    sent_ = rtu_frame(unit, pdu);
    asked.push_back({unit, pdu, clock_.mono()});
    if (ends_after_request > 0 && --ends_after_request == 0) server_closed = true;
    const bool swallowed = clock_.mono() < connected_ + swallows;
    if (const std::optional<Nanos> wait = swallowed ? std::nullopt : delay(asked.back())) {
      MonoTime at = clock_.mono() + *wait;
      if (!coming_.empty()) at = std::max(at, coming_.back().at);
      if (const Bytes said = meter(unit, pdu); !said.empty()) coming_.push_back({unit, said, at});
    }
    return {{}, true};
  }

  Result<Frame> receive(int, const Shape&, MonoTime deadline) override {
    if (unplugged || server_closed) return gone();
    if (!noise.empty()) return Error{Errc::kCrc, "check sum wrong"};
    if (coming_.empty() || coming_.front().at > deadline) {
      clock_.sleep_until(deadline);
      return Error{Errc::kTimeout, "no answer"};
    }
    const Asked frame = coming_.front();
    coming_.pop_front();
    clock_.sleep_until(frame.at);
    Frame answer;
    answer.unit = frame.unit;
    answer.pdu = frame.pdu;
    answer.wire = rtu_frame(frame.unit, frame.pdu);
    answer.other_transaction = other_transaction;
    answer.unit = other_unit.value_or(answer.unit);
    return answer;
  }

  Delay delay = [](const Asked&) { return std::chrono::milliseconds(5); };
  Meter meter = answer;
  bool unplugged = false;
  bool server_closed = false;     ///< the other side ended the connection; the next open() succeeds
  bool forgets_on_close = false;  ///< as a Modbus TCP server does
  int ends_after_request = 0;     ///< the server closes at the nth request from now instead of answering it
  Nanos swallows{0};              ///< what comes so soon after a connect
  bool other_transaction = false;
  std::optional<int> other_unit;  ///< in the answers
  Bytes noise;                    ///< heard instead of an answer, until the next silence
  std::vector<Asked> asked;
  std::vector<Nanos> gaps;
  int opens = 0;

 private:
  static Bytes bits(std::uint8_t function, int count) {
    Bytes out(static_cast<std::size_t>(2 + (count + 7) / 8));
    out[0] = function;
    out[1] = static_cast<std::uint8_t>(out.size() - 2);
    return out;
  }
  Error gone() {
    server_closed = false;
    close();
    return {Errc::kBusDown, "hung up"};
  }

  const FakeClock& clock_;
  bool open_ = false;
  MonoTime connected_{};
  std::deque<Asked> coming_;  // `at`: when it is there
  Bytes sent_;
};

}  // namespace metergate
