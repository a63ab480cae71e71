#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/options.h"
#include "agent/config/spec_fields.h"

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

/// Digits alone, at most as many as a meter's address has.
bool is_meter_address(std::string_view text);

const std::vector<std::string>& known_bauds();
const std::vector<std::string>& known_modes();  ///< 8N1 ...
/// `8E1` into a line's parity and stop bits; one of known_modes().
void set_mode(const std::string& mode, LineMode* line);

/// What --bus, --meter and --poll say, each value checked by itself. Errors: kInvalid, without the place.
Result<BusSpec> parse_bus(const SpecFields& fields, const Place& place);
/// For scan: baud and mode may be missing (then 0 and 0 stop bits), and the timeout is one for asking many units that
/// are not there, unless it is given.
Result<BusSpec> parse_bus_to_scan(const SpecFields& fields, const Place& place);
Result<MeterAndPoll> parse_meter(const SpecFields& fields, const Place& place);
Result<PollSpec> parse_poll(const SpecFields& fields, const Place& place);

}  // namespace metergate
