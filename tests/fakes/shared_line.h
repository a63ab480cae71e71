#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "drivers/modbus/rtu_frames.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

/// A serial line, 8N1, on virtual time, byte for byte, on which others may talk too. Frames that overlap
/// break each other. A unit answers each request that it heard whole, once, in order, after its turnaround; the value
/// of a register names unit and address.
class SharedLine : public ModbusLink {
 public:
  /// What a unit makes of a request; an empty PDU: nothing.
  struct Said {
    Bytes pdu;
    Nanos turnaround = std::chrono::milliseconds(10);
    bool broken = false;  ///< damaged on its way
  };
  struct Spoken {
    int unit = 0;
    Bytes pdu;
  };

  SharedLine(const FakeClock& clock, int baud, unsigned seed)
      : clock_(clock),
        char_(Nanos{std::chrono::seconds(10)} / baud),
        silence_(char_ * 7 / 2),
        random_(seed),
        receiver_([this](std::uint8_t* to, std::size_t size, MonoTime until) { return take(to, size, until); }) {}

  static std::uint16_t value(int unit, int address) { return static_cast<std::uint16_t>(unit * 1000 + address); }
  /// Of a read of registers.
  static Bytes answer(int unit, const Bytes& pdu) {
    const int address = pdu[1] << 8 | pdu[2], count = pdu[3] << 8 | pdu[4];
    if (pdu[0] < 3) return {static_cast<std::uint8_t>(pdu[0] | 0x80), 1};
    Bytes out{pdu[0], static_cast<std::uint8_t>(2 * count)};
    for (int i = 0; i < count; ++i) {
      out.push_back(static_cast<std::uint8_t>(value(unit, address + i) >> 8));
      out.push_back(static_cast<std::uint8_t>(value(unit, address + i) & 0xFF));
    }
    return out;
  }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  std::function<Said(int unit, const Bytes& pdu)> meter = [](int unit, const Bytes& pdu) {
    return Said{answer(unit, pdu)};
  };
  /// Asked by the second master at `asks_at`, and how long until it asks again; none: there is no other master.
  std::function<std::pair<Spoken, Nanos>()> second_master;
  MonoTime asks_at;
  bool echoes = false;              ///< our own bytes are heard too
  bool loses_first_byte = false;    ///< of each request that is heard
  Bytes noise_before, noise_after;  ///< around each answer
  std::optional<MonoTime> shorted;  ///< until then nothing but noise is heard, by anybody

  std::vector<LineMode> modes;  ///< of the requests

  Status open() override { return open_ = true, Status(); }
  void close() override { open_ = false; }
  bool is_open() const override { return open_; }
  std::string name() const override { return "line"; }

  Status set_mode(const LineMode& mode) override {
    modes.push_back(mode);
    return {};
  }
  /// As Port::settle.
  Status settle(Nanos gap, Bytes* strays) override {
    *strays = receiver_.take_rest();
    Nanos silence = silence_ + gap;
    if (!strays->empty()) silence = std::max(silence, kAfterStrays);
    const MonoTime patience = clock_.mono() + kPatience;
    for (;;) {
      wait_until(std::max(last_ + silence, clock_.mono()));
      if (ear_.empty()) return {};
      strays->insert(strays->end(), ear_.begin(), ear_.end());
      ear_.clear();
      silence = std::max(silence, kAfterStrays);
      if (clock_.mono() > patience) return Error{Errc::kGarbled, "never silent"};
    }
  }
  Sent send(int unit, const Bytes& pdu) override {
    wait_until(clock_.mono());
    sent_ = rtu_frame(unit, pdu);
    receiver_.sent(sent_);
    begin({clock_.mono(), {}, rtu_frame(unit, pdu), true, echoes, false});
    return {{}, true};
  }
  const Bytes& sent_bytes() const override { return sent_; }
  const Bytes& heard_bytes() const override { return receiver_.rest(); }
  Result<Frame> receive(int unit, const Shape& shape, MonoTime deadline) override {
    return receiver_.receive(unit, shape, deadline);
  }

 private:
  static constexpr Nanos kAfterStrays = std::chrono::milliseconds(20);
  static constexpr Nanos kPatience = std::chrono::milliseconds(500);
  static constexpr Nanos kNoiseEvery = std::chrono::milliseconds(3);

  struct OnWire {
    MonoTime begin, end;
    Bytes bytes;
    bool question, audible, broken;
  };

  void begin(OnWire frame) {
    frame.end = frame.begin + char_ * static_cast<Nanos::rep>(frame.bytes.size());
    if (shorted && frame.begin < *shorted) frame.broken = true;
    for (OnWire& other : wire_) {
      if (other.end > frame.begin) other.broken = frame.broken = true;
    }
    wire_.push_back(std::move(frame));
  }
  void end(OnWire frame) {
    if (frame.broken) frame.bytes[static_cast<std::size_t>(pick(0, static_cast<int>(frame.bytes.size()) - 1))] ^= 0x40;
    if (frame.audible && !frame.question) {
      frame.bytes.insert(frame.bytes.begin(), noise_before.begin(), noise_before.end());
      frame.bytes.insert(frame.bytes.end(), noise_after.begin(), noise_after.end());
    }
    if (frame.audible && frame.question && loses_first_byte) {
      hear({frame.bytes.begin() + 1, frame.bytes.end()}, frame.end);
    } else if (frame.audible) {
      hear(frame.bytes, frame.end);
    }
    if (!frame.question || frame.broken) return;
    const int unit = frame.bytes[0];
    const Said said = meter(unit, Bytes(frame.bytes.begin() + 1, frame.bytes.end() - 2));
    if (said.pdu.empty()) return;
    MonoTime& busy = busy_[unit];
    const MonoTime at = std::max(frame.end + std::max(said.turnaround, silence_), busy);
    const Bytes bytes = rtu_frame(unit, said.pdu);
    busy = at + char_ * static_cast<Nanos::rep>(bytes.size()) + silence_;
    planned_.push_back({at, {}, bytes, false, true, said.broken});
  }
  void hear(const Bytes& bytes, MonoTime at) {
    ear_.insert(ear_.end(), bytes.begin(), bytes.end());
    last_ = at;
  }

  /// What happens next on the line, not later than `limit`: false when nothing does.
  bool happen(MonoTime limit) {
    const auto sooner = [](const OnWire& a, const OnWire& b) { return a.begin < b.begin; };
    const auto ends = [](const OnWire& a, const OnWire& b) { return a.end < b.end; };
    const auto starting = std::min_element(planned_.begin(), planned_.end(), sooner);
    const auto ending = std::min_element(wire_.begin(), wire_.end(), ends);
    const MonoTime start = starting == planned_.end() ? MonoTime::max() : starting->begin;
    const MonoTime finish = ending == wire_.end() ? MonoTime::max() : ending->end;
    const MonoTime noise = shorted && noise_at_ < *shorted ? noise_at_ : MonoTime::max();
    const MonoTime asks = second_master ? asks_at : MonoTime::max();
    const MonoTime first = std::min({start, finish, noise, asks});
    if (first > limit) return false;
    clock_.sleep_until(first);
    if (first == finish) {
      const OnWire frame = *ending;
      wire_.erase(ending);
      end(frame);
    } else if (first == start) {
      const OnWire frame = *starting;
      planned_.erase(starting);
      begin(frame);
    } else if (first == noise) {
      hear({static_cast<std::uint8_t>(pick(0, 255))}, first);
      noise_at_ = first + kNoiseEvery;
    } else {
      const auto [spoken, pause] = second_master();
      begin({first, {}, rtu_frame(spoken.unit, spoken.pdu), true, true, false});
      asks_at = first + pause;
    }
    return true;
  }
  void wait_until(MonoTime time) {
    if (shorted) noise_at_ = std::max(noise_at_, std::min(clock_.mono(), *shorted));
    while (happen(time)) {
    }
    clock_.sleep_until(time);
  }
  Result<std::size_t> take(std::uint8_t* to, std::size_t size, MonoTime until) {
    wait_until(clock_.mono());
    while (ear_.empty() && happen(until)) {
    }
    if (ear_.empty()) {
      clock_.sleep_until(until);
      return Error{Errc::kTimeout, "nothing came"};
    }
    const std::size_t n = std::min(size, ear_.size());
    std::copy_n(ear_.begin(), n, to);
    ear_.erase(ear_.begin(), ear_.begin() + static_cast<std::ptrdiff_t>(n));
    return n;
  }

  const FakeClock& clock_;
  const Nanos char_, silence_;
  std::mt19937 random_;
  RtuReceiver receiver_;
  bool open_ = false;
  Bytes sent_;
  Bytes ear_;
  MonoTime last_{}, noise_at_{};
  std::vector<OnWire> wire_, planned_;
  std::map<int, MonoTime> busy_;  // by unit: until when it is with earlier requests
};

}  // namespace metergate
