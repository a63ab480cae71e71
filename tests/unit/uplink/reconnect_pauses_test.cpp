#include "agent/uplink/reconnect_pauses.h"

#include <gtest/gtest.h>

#include <vector>

namespace metergate {
namespace {

using namespace std::chrono_literals;

class ReconnectPausesTest : public ::testing::Test {
 protected:
  template <class Next>
  std::vector<Millis> several(int count, Next next) {
    std::vector<Millis> found;
    for (int i = 0; i < count; ++i) found.push_back(next());
    return found;
  }
  std::vector<Millis> refusals(int count) {
    return several(count, [this] { return pauses.after_refusal(); });
  }
  std::vector<Millis> silences(int count) {
    return several(count, [this] { return pauses.after_silence(); });
  }

  double draw = 1.0;
  ReconnectPauses pauses{500ms, 30s, [this] { return draw; }};
};

TEST_F(ReconnectPausesTest, DrawsTheFirstPauseTooFromUpTo10s) {
  EXPECT_EQ(pauses.after_refusal(), 10s);
  pauses.reset();
  draw = 0.0;
  EXPECT_EQ(pauses.after_refusal(), 500ms);
  pauses.reset();
  draw = 0.5;
  EXPECT_EQ(pauses.after_refusal(), 5250ms);
}

TEST_F(ReconnectPausesTest, GrowsUpToTheLongestPauseAndNeverOver) {
  EXPECT_EQ(refusals(5), (std::vector<Millis>{10s, 15s, 22500ms, 30s, 30s}));
}

TEST_F(ReconnectPausesTest, KeepsALongestPauseThatIsShorterThanTheFirst) {
  ReconnectPauses quick(200ms, 1s, [] { return 1.0; });
  EXPECT_EQ(quick.after_refusal(), 1s);
  EXPECT_EQ(quick.after_refusal(), 1s);
  ReconnectPauses slow(20s, 60s, [] { return 0.0; });
  EXPECT_EQ(slow.after_refusal(), 20s);
}

TEST_F(ReconnectPausesTest, WaitsForAnAnswer60sDoublingTo240s) {
  EXPECT_EQ(several(4,
                    [this] {
                      const Millis patience = pauses.patience();
                      pauses.after_silence();
                      return patience;
                    }),
            (std::vector<Millis>{60s, 120s, 240s, 240s}));
}

TEST_F(ReconnectPausesTest, PausesAfterSilenceUpTo20TimesTheLongestPause) {
  EXPECT_EQ(silences(6), (std::vector<Millis>{60s, 120s, 240s, 480s, 600s, 600s}));
}

TEST_F(ReconnectPausesTest, LetsNeitherKindOfPauseRaiseTheOther) {
  silences(5);
  EXPECT_EQ(pauses.after_refusal(), 10s);
  refusals(5);
  EXPECT_EQ(pauses.patience(), 240s);
  pauses.reset();
  refusals(5);
  EXPECT_EQ(pauses.patience(), 60s);
  EXPECT_EQ(pauses.after_silence(), 60s);
}

TEST_F(ReconnectPausesTest, StartsBothAnewAfterAReset) {
  refusals(3);
  silences(3);
  pauses.reset();
  EXPECT_EQ(pauses.patience(), 60s);
  EXPECT_EQ(pauses.after_refusal(), 10s);
  EXPECT_EQ(pauses.after_silence(), 60s);
}

}  // namespace
}  // namespace metergate
