#include "agent/base/hex.h"

#include <gmock/gmock.h>

namespace metergate {
namespace {

TEST(Hex, ReadsWhatItWrites) {
  const std::vector<std::uint8_t> bytes{0x00, 0x0a, 0xff, 0x7f};
  EXPECT_EQ(to_hex(bytes.data(), bytes.size()), "000aff7f");
  EXPECT_EQ(parse_hex("000aff7f"), bytes);
  EXPECT_EQ(parse_hex("000AFF7F"), bytes);
  EXPECT_EQ(parse_hex(""), std::vector<std::uint8_t>());
}

TEST(Hex, TakesNothingElse) {
  for (const char* text : {"0", "0g", " 00", "0x00"}) EXPECT_EQ(parse_hex(text), std::nullopt) << text;
}

}  // namespace
}  // namespace metergate
