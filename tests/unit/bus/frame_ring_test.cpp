#include "agent/bus/frame_ring.h"

#include <gmock/gmock.h>

#include "agent/base/json.h"
#include "tests/fakes/fake_bus.h"

namespace metergate {
namespace {

using Bytes = std::vector<std::uint8_t>;

class FrameRingTest : public ::testing::Test {
 protected:
  void add(const Bytes& bytes, FrameVerdict verdict = FrameVerdict::kAnswer) {
    ring_.on_frame(verdict, bytes.data(), bytes.size());
  }
  /// A frame that shows which one it is.
  static Bytes numbered(int number, std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(number * 7 + static_cast<int>(i));
    return bytes;
  }
  std::vector<TracedFrame> all() const { return ring_.behind(0, FrameRing::kMostFrames); }

  FakeClock clock_;
  FakeBus bus_{clock_};
  FrameRing ring_{bus_, clock_};
};

TEST_F(FrameRingTest, KeepsTheLastThousandFramesInTheirOrder) {
  for (int i = 1; i <= 2500; ++i) add(numbered(i, 8 + static_cast<std::size_t>(i % 60)));
  const auto frames = all();
  ASSERT_EQ(frames.size(), FrameRing::kMostFrames);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int number = 1501 + static_cast<int>(i);
    EXPECT_EQ(frames[i].number, number);
    EXPECT_EQ(frames[i].bytes, numbered(number, 8 + static_cast<std::size_t>(number % 60)));
  }
}

TEST_F(FrameRingTest, KeepsFewerFramesThatAreAllLong) {
  for (int i = 1; i <= 2000; ++i) add(numbered(i, 256));
  const auto frames = all();
  EXPECT_EQ(frames.size(), FrameRing::kMostBytes / 256);
  EXPECT_EQ(frames.front().bytes, numbered(static_cast<int>(frames.front().number), 256));
  EXPECT_EQ(frames.back().number, 2000);
}

TEST_F(FrameRingTest, CutsNoiseWithoutEndAndTellsItsLength) {
  add(Bytes(5000, 0xFF), FrameVerdict::kNoise);
  ASSERT_EQ(all().size(), 1U);
  EXPECT_EQ(all()[0].bytes.size(), FrameRing::kLongest);
  EXPECT_EQ(all()[0].length, 5000U);
}

TEST_F(FrameRingTest, GivesWhatIsBehindANumber) {
  for (int i = 1; i <= 10; ++i) add(numbered(i, 8));
  const auto frames = ring_.behind(7, 2);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].number, 8);
  EXPECT_EQ(frames[1].number, 9);
  EXPECT_TRUE(ring_.behind(10, 5).empty());
  EXPECT_TRUE(ring_.behind(99, 5).empty());
}

TEST_F(FrameRingTest, TellsWhenEachFrameWasByTheClockOfNow) {
  add({7, 3, 0, 0, 0, 1, 0x84, 0x6C}, FrameVerdict::kRequest);
  clock_.advance(std::chrono::microseconds(1'500'250));
  clock_.step_utc(UtcTime{std::chrono::seconds(1'000'000'000)});
  const auto lines = ring_.json_behind(0, 10);
  ASSERT_EQ(lines.size(), 1U);
  const auto frame = parse_json(lines[0]);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->find("at")->text, "2001-09-09T01:46:38.499750Z");
  EXPECT_EQ(frame->find("dir")->text, "out");
  EXPECT_EQ(frame->find("verdict")->text, "request");
  EXPECT_EQ(frame->find("bytes")->text, "070300000001846c");
}

}  // namespace
}  // namespace metergate
