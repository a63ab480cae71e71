#include "drivers/dlt645/frame.h"

#include <gtest/gtest.h>

#include "tests/fakes/hex_bytes.h"
#include "tests/unit/drivers/dlt645/vectors.h"

namespace metergate {
namespace {

/// The bytes without the FEs in front, and how many those are.
std::pair<Bytes, int> without_preamble(Bytes bytes) {
  int count = 0;
  while (bytes.front() == 0xFE) {
    bytes.erase(bytes.begin());
    ++count;
  }
  return {bytes, count};
}

TEST(Dlt645FrameTest, ReadsAndWritesEveryVector) {
  for (const char* const text : kDlt645Vectors) {
    const Bytes bytes = hex_bytes(text);
    const auto found = find_dlt645(bytes);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->end, bytes.size()) << text;
    EXPECT_EQ(to_bytes(found->frame, without_preamble(bytes).second), bytes) << text;
  }
}

TEST(Dlt645FrameTest, GivesAddressControlAndData) {
  const auto found = find_dlt645(hex_bytes("68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CC 16"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->frame.address, "123456789012");
  EXPECT_EQ(found->frame.control, 0x91);
  EXPECT_EQ(found->frame.data, hex_bytes("00 00 01 00 78 56 34 12"));
}

TEST(Dlt645FrameTest, FindsAFrameBehindNoiseAndBetweenOthers) {
  const Bytes frame = hex_bytes("68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16");
  // Garbage; a 68 that looks like the begin of a frame of 200 bytes; a broken frame.
  for (const char* const before : {"00 FF 13", "68 01 02 03 04 05 06 68 11 C8", "68 61 01 00 00 00 00 68 91 06 33 34",
                                   "68", "FE FE FE FE FE FE FE", "68 61 01 00 00 00 00 68 91 00 00 16"}) {
    Bytes heard = hex_bytes(before);
    const std::size_t begin = heard.size();
    heard.insert(heard.end(), frame.begin(), frame.end());
    heard.push_back(0x68);
    const auto found = find_dlt645(heard);
    ASSERT_TRUE(found) << before;
    EXPECT_EQ(found->begin, begin) << before;
    EXPECT_EQ(found->end, begin + frame.size()) << before;
  }
}

TEST(Dlt645FrameTest, TakesNoFrameThatBrokeOffOrWasDamaged) {
  const Bytes frame = hex_bytes("68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16");
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(find_dlt645(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
  }
  for (std::size_t i = 0; i < frame.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = frame;
      damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ 1 << bit);
      EXPECT_FALSE(find_dlt645(damaged)) << "byte " << i << ", bit " << bit;
    }
  }
  Bytes damaged = frame;
  damaged[12] ^= 1;
  EXPECT_TRUE(holds_damaged_dlt645(damaged));
  EXPECT_FALSE(holds_damaged_dlt645(Bytes(frame.begin(), frame.end() - 1)));
}

}  // namespace
}  // namespace metergate
