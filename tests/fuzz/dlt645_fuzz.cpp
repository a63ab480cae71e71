#include <algorithm>

#include "drivers/dlt645/dlt645_master.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// Bytes as they come from a line: a frame that is found lies within them, and is written as it was read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, data + size);
  const auto found = find_dlt645(bytes);
  if (found) {
    must(found->begin < found->end && found->end <= size, "a frame lies within the bytes");
    const Bytes again = to_bytes(found->frame, 0);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(found->begin);
    must(again.size() == found->end - found->begin && std::equal(again.begin(), again.end(), begin),
         "a frame is written as it was read");
  }
  const auto outline = outline_dlt645(bytes);
  must(!found || (outline && outline->begin <= found->begin), "a whole frame has an outline");
  must(Dlt645Master::explain(data, size).has_value() == outline.has_value(), "what has an outline is explained");
  return 0;
}
