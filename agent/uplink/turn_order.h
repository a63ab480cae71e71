#pragma once

#include <array>

#include "store/store.h"

namespace metergate {

/// What the next message may be made from.
enum class Turn { kStatus, kCatalog, kReadings, kResults, kEvents, kRepublish, kResend, kReplay };

constexpr Turn turn_of(Lane lane) {
  switch (lane) {
    case Lane::kReadings:
      return Turn::kReadings;
    case Lane::kResults:
      return Turn::kResults;
    case Lane::kEvents:
      break;
  }
  return Turn::kEvents;
}

/// Who may send the next message: status and catalog, then results, events and republished results in rotation, then
/// readings and what is resent in turn, a replay last. Of every four messages at least one is readings', if they have
/// any. Pure.
class TurnOrder {
 public:
  static constexpr int kOthersPerReading = 3;
  using Order = std::array<Turn, 8>;

  /// In this order each is asked until one has a message.
  Order order() const;
  void sent(Turn turn);
  /// Whether what is resent goes before readings, which take turns with it.
  bool resend_before_readings() const { return resend_first_; }

 private:
  int since_reading_ = 0;     // messages of others
  std::size_t rotation_ = 0;  // which of kUrgent is first
  bool resend_first_ = false;
};

}  // namespace metergate
