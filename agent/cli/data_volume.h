#pragma once

#include <cstdint>

#include "agent/config/site.h"
#include "store/store.h"

namespace metergate {

/// What the polls make in a day, and what that means for the store. All are estimates from the true format of the
/// records, with values of usual length.
struct DataVolume {
  double records = 0;  ///< readings a day
  double bytes = 0;    ///< of them on the wire, without MQTT's own
  double stored = 0;   ///< of them in the store
  double flash = 0;    ///< written to the medium a day, deleting included
  double days = 0;     ///< of outage that the store holds
};

/// Readings a day of one poll. Back to back: as often as the rest of the bus's time allows.
double readings_a_day(const BusConfig& bus, std::size_t poll);

/// Bytes of one reading of a poll as it is sent.
std::size_t reading_size(const std::string& gateway, const BusConfig& bus, const PollConfig& poll);

DataVolume data_volume_of(const Site& site, const StoreSettings& store);

}  // namespace metergate
