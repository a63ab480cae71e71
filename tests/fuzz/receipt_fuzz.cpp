#include "agent/protocol/codec.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// A payload on the topic of receipts, and one on that of the status: both come from the network.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload = text_of(data, size);
  if (const auto receipt = parse_receipt(payload)) must(receipt->upto >= 0, "a number of a record is none below 0");
  static_cast<void>(epoch_of_status(std::string(payload)));
  return 0;
}
