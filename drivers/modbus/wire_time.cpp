#include "drivers/modbus/wire_time.h"

namespace metergate {

namespace {

constexpr std::size_t kRtuOverhead = 3;  // unit and check sum

}  // namespace

Nanos frames_time(const BusSettings& settings, const Request& request, std::size_t answer_size) {
  const auto* const serial = std::get_if<SerialSettings>(&settings.port);
  if (serial == nullptr) return Nanos{0};
  return char_time(*serial) * (kRtuOverhead + request.pdu.size() + kRtuOverhead + answer_size);
}

Nanos wire_time(const BusSettings& settings, const Request& request) {
  const auto* const serial = std::get_if<SerialSettings>(&settings.port);
  if (serial == nullptr) return Nanos{0};
  return frames_time(settings, request, request.shape.answer_size) + frame_gap(*serial);
}

Micros wire_time(const BusSettings& settings, const Block& block) {
  const Result<Request> request = to_request(block);
  return std::chrono::duration_cast<Micros>(request ? wire_time(settings, *request) : Nanos{0});
}

}  // namespace metergate
