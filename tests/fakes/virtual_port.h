#pragma once

#include <fcntl.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "drivers/port/port.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

/// A serial line on virtual time, byte for byte. What is said at the same time is damaged.
class VirtualPort : public Port {
 public:
  VirtualPort(const FakeClock& clock, const LineMode& line) : Port(clock), clock_(clock), line_(line) {}

  /// Called with all that was sent, once it is out; `glued`: without t3.5 of silence before it.
  std::function<void(const Bytes& bytes, bool glued)> sent = [](const Bytes&, bool) {};

  /// Something comes on the line at this time, byte by byte.
  void say(MonoTime at, const Bytes& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const MonoTime when = at + char_time() * static_cast<Nanos::rep>(i + 1);
      const auto other = std::find_if(coming_.begin(), coming_.end(), [&](const Coming& c) {
        return c.at > when - char_time() && c.at < when + char_time();
      });
      if (other != coming_.end()) {
        other->byte = static_cast<std::uint8_t>(other->byte & bytes[i]);
        continue;
      }
      const auto place = std::find_if(coming_.begin(), coming_.end(), [&](const Coming& c) { return c.at > when; });
      coming_.insert(place, {when, bytes[i]});
    }
  }

  std::vector<LineMode> modes;  ///< as they were set
  const LineMode& line() const { return line_; }

  Status open() override {
    opened(Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    return {};
  }
  std::string name() const override { return "line"; }
  Nanos char_time() const override { return metergate::char_time(line_); }
  Nanos frame_gap() const override { return metergate::frame_gap(line_); }
  Status set_mode(const LineMode& line) override {
    if (!(line == line_)) modes.push_back(line);
    line_ = line;
    return {};
  }

  Status write(const Bytes& bytes) override {
    const MonoTime begin = clock_.mono();
    const bool glued = begin < quiet_since_ + frame_gap();
    // What comes while we send is lost, and so is what we send.
    bool broken = false;
    while (!coming_.empty() && coming_.front().at <= begin + char_time() * static_cast<Nanos::rep>(bytes.size())) {
      coming_.pop_front();
      broken = true;
    }
    clock_.advance(char_time() * static_cast<Nanos::rep>(bytes.size()));
    quiet_since_ = clock_.mono();
    heard();
    if (!broken) sent(bytes, glued);
    return {};
  }

  Result<std::size_t> read(std::uint8_t* to, std::size_t size, MonoTime deadline) override {
    if (coming_.empty() || coming_.front().at > std::max(deadline, clock_.mono())) {
      if (deadline > clock_.mono()) clock_.sleep_until(deadline);
      return Error{Errc::kTimeout, "nothing came in time"};
    }
    if (coming_.front().at > clock_.mono()) clock_.sleep_until(coming_.front().at);
    std::size_t n = 0;
    while (n < size && !coming_.empty() && coming_.front().at <= clock_.mono()) {
      quiet_since_ = coming_.front().at;
      to[n++] = coming_.front().byte;
      coming_.pop_front();
    }
    heard();
    return n;
  }

 private:
  struct Coming {
    MonoTime at;
    std::uint8_t byte;
  };
  const FakeClock& clock_;
  LineMode line_;
  std::deque<Coming> coming_;  // sorted
  MonoTime quiet_since_{};
};

}  // namespace metergate
