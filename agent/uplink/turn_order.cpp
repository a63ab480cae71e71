#include "agent/uplink/turn_order.h"

namespace metergate {

namespace {
constexpr std::array<Turn, 3> kUrgent{Turn::kResults, Turn::kEvents, Turn::kRepublish};
}

TurnOrder::Order TurnOrder::order() const {
  const auto urgent = [&](std::size_t i) { return kUrgent[(rotation_ + i) % kUrgent.size()]; };
  if (since_reading_ >= kOthersPerReading) {
    return {Turn::kReadings, Turn::kStatus, Turn::kCatalog, urgent(0),
            urgent(1),       urgent(2),     Turn::kResend,  Turn::kReplay};
  }
  const Turn first = resend_first_ ? Turn::kResend : Turn::kReadings;
  const Turn second = resend_first_ ? Turn::kReadings : Turn::kResend;
  return {Turn::kStatus, Turn::kCatalog, urgent(0), urgent(1), urgent(2), first, second, Turn::kReplay};
}

void TurnOrder::sent(Turn turn) {
  if (turn == Turn::kReadings || turn == Turn::kResend) resend_first_ = turn == Turn::kReadings;
  since_reading_ = turn == Turn::kReadings ? 0 : since_reading_ + 1;
  for (std::size_t i = 0; i < kUrgent.size(); ++i) {
    if (kUrgent[i] == turn) rotation_ = i + 1;
  }
}

}  // namespace metergate
