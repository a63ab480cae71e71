#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/dlt645/frame.h"
#include "tests/fakes/virtual_port.h"

namespace metergate {

/// DL/T 645 meters on a line of virtual time. Each answers what it hears whole, with a value of each item that names
/// meter and item.
class Dlt645Line {
 public:
  static constexpr Nanos kTurnaround = std::chrono::milliseconds(30);
  struct Said {
    Dlt645Frame frame;
    Nanos after = kTurnaround;  ///< the end of the request
    int preamble = 4;
  };
  using Meter = std::function<std::vector<Said>(const Dlt645Frame& request)>;

  explicit Dlt645Line(const FakeClock& clock, const LineMode& line = {2400, 'E', 1})
      : port(clock, line), clock_(clock) {
    port.sent = [this](const Bytes& bytes, bool) { hear(bytes); };
    static_cast<void>(port.open());
  }

  /// What a meter says of an item: 4 bytes BCD that differ by meter and item.
  static Bytes value(const std::string& address, std::uint32_t item) {
    Bytes bytes;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned of = (static_cast<unsigned>(address.back() - '0') * 7 + (item >> 8 * i & 0xFF) * 3 + i) % 100;
      bytes.push_back(static_cast<std::uint8_t>(of / 10 << 4 | of % 10));
    }
    return bytes;
  }
  static std::uint32_t item_of(const Dlt645Frame& frame) {
    std::uint32_t item = 0;
    for (std::size_t i = 4; i > 0; --i) item = item << 8 | frame.data[i - 1];
    return item;
  }
  static Dlt645Frame answer(const Dlt645Frame& request) {
    Dlt645Frame frame = request;
    frame.control |= Dlt645Frame::kAnswerBit;
    const Bytes bytes = value(request.address, item_of(request));
    frame.data.insert(frame.data.end(), bytes.begin(), bytes.end());
    return frame;
  }
  static Dlt645Frame error(const Dlt645Frame& request, std::uint8_t word) {
    return {request.address,
            static_cast<std::uint8_t>(request.control | Dlt645Frame::kAnswerBit | Dlt645Frame::kErrorBit),
            {word}};
  }

  void hear(const Bytes& bytes) {
    const auto found = find_dlt645(bytes);
    if (!found) return;
    asked.push_back(found->frame);
    const auto meter = meters.find(found->frame.address);
    if (meter == meters.end()) return;
    for (const Said& said : meter->second(found->frame)) {
      port.say(clock_.mono() + said.after, to_bytes(said.frame, said.preamble));
    }
  }

  VirtualPort port;
  std::map<std::string, Meter> meters;
  std::vector<Dlt645Frame> asked;

 private:
  const FakeClock& clock_;
};

}  // namespace metergate
