#include "agent/config/flag_file.h"
#include "agent/config/meter_table.h"
#include "agent/config/spec.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// A file of flags, a table of meters, and each line of it as a --bus, --meter or --poll.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  const auto lines = parse_flag_file("fuzz.conf", text);
  if (const auto* error = std::get_if<UsageError>(&lines)) {
    must(error->status == kWrongFile && error->message.rfind("fuzz.conf", 0) == 0, "a refusal begins with the file");
  } else {
    for (const FlagLine& line : std::get<0>(lines)) {
      const auto fields = split_spec(line.value);
      if (!fields) continue;
      static_cast<void>(parse_bus(*fields, line.place));
      static_cast<void>(parse_meter(*fields, line.place));
      static_cast<void>(parse_poll(*fields, line.place));
    }
  }
  const auto meters = parse_meter_table("fuzz.csv", text);
  if (const auto* error = std::get_if<UsageError>(&meters))
    must(error->status == kWrongFile, "a wrong file is a wrong file");
  return 0;
}
