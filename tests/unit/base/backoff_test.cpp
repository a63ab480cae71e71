#include "agent/base/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace metergate {
namespace {

using namespace std::chrono_literals;

std::vector<Millis> pauses(Backoff& backoff, int count) {
  std::vector<Millis> found;
  for (int i = 0; i < count; ++i) found.push_back(backoff.next());
  return found;
}

TEST(BackoffTest, DoublesTheRangeUpToItsUpperBoundAndNeverGoesOver) {
  Backoff backoff(1s, 60s, [] { return 1.0; });
  EXPECT_EQ(pauses(backoff, 9), (std::vector<Millis>{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}));
}

TEST(BackoffTest, KeepsItsUpperBoundThroughAnOutageOfWeeks) {
  Backoff backoff(500ms, 30s, [] { return 1.0; });
  for (int i = 0; i < 100'000; ++i) EXPECT_LE(backoff.next(), 30s);
}

TEST(BackoffTest, NeverGoesBelowItsLowerBound) {
  Backoff backoff(500ms, 30s, [] { return 0.0; });
  for (const Millis pause : pauses(backoff, 20)) EXPECT_EQ(pause, 500ms);
}

TEST(BackoffTest, DrawsFromTheWholeRangeBetweenTheBounds) {
  double draw = 0;
  Backoff backoff(1s, 60s, [&] { return draw; });
  pauses(backoff, 2);
  draw = 0.25;
  EXPECT_EQ(backoff.next(), 1750ms);  // a quarter of the way from 1 s to 4 s
}

TEST(BackoffTest, BeginsAnewAfterAReset) {
  Backoff backoff(1s, 60s, [] { return 1.0; });
  pauses(backoff, 5);
  backoff.reset();
  EXPECT_EQ(pauses(backoff, 2), (std::vector<Millis>{1s, 2s}));
}

}  // namespace
}  // namespace metergate
