#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config/field_reader.h"
#include "agent/config/options.h"

namespace metergate {

constexpr const char* kMainPoll = "main";  ///< the poll that `every` of --meter makes
constexpr const char* kUnitRange = "1 to 247 on a serial line, 0 to 255 with tcp=";

/// A meter and, if it has `every`, its own poll.
struct MeterAndPoll {
  MeterSpec meter;
  std::optional<PollSpec> poll;
};

/// The keys of --meter, which are also the columns of a --meters table.
const std::vector<std::string>& meter_keys();

const std::vector<std::string>& known_bauds();
const std::vector<std::string>& known_modes();  ///< 8N1 ...

/// What --bus, --meter and --poll say, each value checked by itself. Errors: kInvalid, without the place.
Result<BusSpec> parse_bus(const Fields& fields, const Place& place);
/// For scan: baud and mode may be missing (then 0 and 0 stop bits), and the timeout is one for asking many units that
/// are not there, unless it is given.
Result<BusSpec> parse_bus_to_scan(const Fields& fields, const Place& place);
Result<MeterAndPoll> parse_meter(const Fields& fields, const Place& place);
Result<PollSpec> parse_poll(const Fields& fields, const Place& place);

}  // namespace metergate
