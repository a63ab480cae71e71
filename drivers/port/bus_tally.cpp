#include "drivers/port/bus_tally.h"

namespace metergate {

void BusTally::ended(const Error* error) {
  if (error == nullptr) {
    ++answers_;
    return;
  }
  switch (error->code) {
    case Errc::kTimeout:
      ++timeouts_;
      break;
    case Errc::kCrc:
      ++crc_;
      break;
    case Errc::kGarbled:
      ++garbled_;
      break;
    case Errc::kException:
      ++exceptions_;
      break;
    default:
      ++bus_down_;
  }
}

BusCounters BusTally::counters() const {
  BusCounters out;
  out.requests = requests_;
  out.answers = answers_;
  out.timeouts = timeouts_;
  out.crc = crc_;
  out.garbled = garbled_;
  out.exceptions = exceptions_;
  out.bus_down = bus_down_;
  out.guards = guards;
  out.late_bytes = late_bytes;
  out.late_frames = late_frames;
  out.foreign_frames = foreign_frames;
  out.opened = opened;
  out.busy_us = busy_us_;
  return out;
}

}  // namespace metergate
