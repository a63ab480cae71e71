#include "drivers/modbus/wire_time.h"

namespace metergate {

namespace {

constexpr std::size_t kRtuOverhead = 3;  // unit and check sum

}  // namespace

Nanos frames_time(const LineMode* line, const Request& request, std::size_t answer_size) {
  if (line == nullptr) return Nanos{0};
  return char_time(*line) * (kRtuOverhead + request.pdu.size() + kRtuOverhead + answer_size);
}

Nanos wire_time(const LineMode* line, const Request& request) {
  if (line == nullptr) return Nanos{0};
  return frames_time(line, request, request.shape.answer_size) + frame_gap(*line);
}

Micros wire_time(const BusSettings& settings, const Target& target, const Block& block) {
  const Result<Request> request = to_request(block);
  return std::chrono::duration_cast<Micros>(request ? wire_time(line_of(settings, target), *request) : Nanos{0});
}

}  // namespace metergate
