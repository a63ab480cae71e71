#include "agent/base/backoff.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class BackoffTest : public ::testing::Test {
 protected:
  /// The next pauses, each when the draw is `part` of what it may be.
  std::vector<Millis> pauses(std::size_t count, double part) {
    draw = part;
    std::vector<Millis> out;
    while (out.size() < count) out.push_back(backoff.next());
    return out;
  }

  double draw = 0;
  Backoff backoff{500ms, 3s, [this] { return draw; }};
};

TEST_F(BackoffTest, NeverWaitsLessThanTheShortestPause) { EXPECT_EQ(pauses(4, 0.0), std::vector<Millis>(4, 500ms)); }

TEST_F(BackoffTest, DoublesTheLongestPossiblePauseUpToTheUpperBound) {
  EXPECT_EQ(pauses(6, 1.0), (std::vector<Millis>{500ms, 1s, 2s, 3s, 3s, 3s}));
}

TEST_F(BackoffTest, DrawsEachPauseFromAllThatIsPossible) {
  pauses(2, 0.0);
  EXPECT_EQ(pauses(1, 0.5).front(), 500ms + 1500ms / 2);
}

TEST_F(BackoffTest, BeginsAnewAfterAReset) {
  pauses(5, 1.0);
  backoff.reset();
  EXPECT_EQ(pauses(2, 1.0), (std::vector<Millis>{500ms, 1s}));
}

}  // namespace
}  // namespace metergate
