#include "drivers/dlt645/wire_time.h"

#include "drivers/dlt645/frame.h"

namespace metergate {

namespace {
constexpr std::size_t kAround = Dlt645Frame::kOverhead + kUsualPreamble;
}  // namespace

Nanos answer_time(const LineMode* line, std::size_t data) {
  return line == nullptr ? Nanos{0} : char_time(*line) * static_cast<Nanos::rep>(kAround + data);
}

Nanos frames_time(const LineMode* line, std::size_t request, std::size_t data) {
  return line == nullptr ? Nanos{0} : char_time(*line) * static_cast<Nanos::rep>(request) + answer_time(line, data);
}

Micros dlt645_wire_time(const BusSettings& settings, const Target& target, const Block& block) {
  const std::size_t item = target.family == Family::kDlt645Of1997 ? 2 : 4;
  return std::chrono::duration_cast<Micros>(frames_time(line_of(settings, target), kAround + item, item + block.count));
}

}  // namespace metergate
