#include <algorithm>

#include "drivers/dlt645/dlt645_master.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// A frame that is found lies within the bytes, and is written as it was read.
FUZZ_TARGET(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, data + size);
  const auto found = find_dlt645(bytes);
  if (found) {
    FUZZ_CHECK(found->begin < found->end && found->end <= size);
    const Bytes again = to_bytes(found->frame, 0);
    FUZZ_CHECK(again.size() == found->end - found->begin);
    FUZZ_CHECK(std::equal(again.begin(), again.end(), bytes.begin() + static_cast<std::ptrdiff_t>(found->begin)));
    FUZZ_CHECK(!holds_damaged_dlt645(bytes));
  }
  const auto outline = outline_dlt645(bytes);
  FUZZ_CHECK(!found || (outline && outline->begin <= found->begin));
  FUZZ_CHECK(Dlt645Master::explain(data, size).has_value() == outline.has_value());
}
