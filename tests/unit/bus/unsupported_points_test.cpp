#include "agent/bus/unsupported_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_bus.h"
#include "tests/fakes/one_meter.h"
#include "tests/fakes/recording_store.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
/// A meter of ten neighbouring registers r0 to r9, which refuses some.
class UnsupportedPointsTest : public OneMeterTest {
 protected:
  UnsupportedPointsTest()
      : OneMeterTest(
            "r0 = holding 0 u16\nr1 = holding 1 u16\nr2 = holding 2 u16\nr3 = holding 3 u16\n"
            "r4 = holding 4 u16\nr5 = holding 5 u16\nr6 = holding 6 u16\nr7 = holding 7 u16\n"
            "r8 = holding 8 u32\nr20 = holding 20 u16\n") {
    line_.refuse_block = [this](const Block& b) {
      for (const int address : refused_) {
        if (b.address <= address && address < b.address + b.count) return 2;
      }
      return b.count > longest_ ? 3 : 0;
    };
  }
  const Json& last() const { return store_.readings.back(); }
  std::string code_of(const char* point) const { return text(*last().find("errors")->find(point), "code"); }
  std::size_t blocks_of_next_reading() {
    const std::size_t readings = store_.readings.size(), blocks = line_.blocks.size();
    while (store_.readings.size() == readings) run(seconds(1));
    return line_.blocks.size() - blocks;
  }
  std::vector<std::pair<std::string, int>> shown() { return worker_->state().meters[0].unsupported; }

  std::vector<int> refused_;
  int longest_ = 125;
};

TEST_F(UnsupportedPointsTest, SplitsARefusedBlockSoThatOnlyTheRefusedPointIsMissing) {
  refused_ = {5};
  start(seconds(10), {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"});
  run(seconds(2));
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(last(), "quality"), "partial");
  EXPECT_EQ(last().find("values")->items.size(), 8u);
  EXPECT_EQ(last().find("errors")->items.size(), 1u);
  EXPECT_EQ(code_of("r5"), "exception_2");
  EXPECT_EQ(last().find("values")->find("r8")->text, std::to_string(8 * 65536 + 9));
}

TEST_F(UnsupportedPointsTest, NeverSplitsAValue) {
  refused_ = {9};
  start(seconds(10), {"r7", "r8"});
  run(seconds(2));
  EXPECT_EQ(code_of("r8"), "exception_2");
  EXPECT_EQ(last().find("values")->find("r7")->text, "7");
  EXPECT_THAT(line_.blocks, Not(Contains(Block{Table::kHolding, 9, 1})));
}

TEST_F(UnsupportedPointsTest, LeavesARefusedPointOutAfterThreeTimesOverAMinute) {
  refused_ = {5};
  start(seconds(10), {"r0", "r1", "r5", "r7"});
  run(seconds(50));
  EXPECT_THAT(shown(), IsEmpty());
  run(seconds(30));
  EXPECT_THAT(shown(), ElementsAre(Pair("r5", 2)));
  EXPECT_EQ(blocks_of_next_reading(), 2u);
  EXPECT_EQ(code_of("r5"), "exception_2");
  EXPECT_EQ(last().find("values")->items.size(), 3u);
}

TEST_F(UnsupportedPointsTest, DoesNotLearnFromTwoRefusalsHoweverFarApart) {
  refused_ = {5};
  start(minutes(2), {"r0", "r5"});
  run(seconds(1));
  clock_.sleep_until(clock_.mono() + minutes(2));
  blocks_of_next_reading();
  EXPECT_THAT(shown(), IsEmpty());
  run(minutes(5));
  EXPECT_THAT(shown(), ElementsAre(Pair("r5", 2)));
}

TEST_F(UnsupportedPointsTest, DoesNotLearnWhatIsRefusedNowAndThen) {
  start(seconds(10), {"r0", "r1", "r5", "r7"});
  for (int i = 0; i < 20; ++i) {
    refused_ = i % 3 == 0 ? std::vector<int>{} : std::vector<int>{5};
    blocks_of_next_reading();
  }
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(UnsupportedPointsTest, LearnsThatAMeterTakesNoRequestsOfSuchALength) {
  longest_ = 4;
  start(seconds(10), {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"});
  EXPECT_EQ(blocks_of_next_reading(), 3u);
  EXPECT_EQ(text(last(), "quality"), "good");
  run(minutes(2));
  EXPECT_EQ(blocks_of_next_reading(), 2u);
  EXPECT_EQ(text(last(), "quality"), "good");
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(UnsupportedPointsTest, LearnsNotToReadOverAHoleThatIsRefused) {
  refused_ = {3};
  start(seconds(10), {"r2", "r4"});
  EXPECT_EQ(blocks_of_next_reading(), 3u);
  run(minutes(2));
  EXPECT_EQ(blocks_of_next_reading(), 2u);
  EXPECT_EQ(text(last(), "quality"), "good");
}

TEST_F(UnsupportedPointsTest, KeepsWhatItLearnedOverARestart) {
  refused_ = {5};
  start(seconds(10), {"r0", "r5"});
  run(minutes(2));
  restart();
  EXPECT_THAT(shown(), ElementsAre(Pair("r5", 2)));
  line_.blocks.clear();
  run(seconds(2));
  EXPECT_THAT(line_.blocks, ElementsAre(Block{Table::kHolding, 0, 1}));
  EXPECT_EQ(code_of("r5"), "exception_2");
}

TEST_F(UnsupportedPointsTest, ForgetsADayLaterAlsoWhenItWasRestartedInBetween) {
  refused_ = {5};
  start(minutes(1), {"r0", "r5"});
  run(minutes(10));
  for (int i = 0; i < 3; ++i) {
    run(hours(6));
    restart();
  }
  ASSERT_THAT(shown(), ElementsAre(Pair("r5", 2)));
  refused_.clear();
  run(hours(6));
  EXPECT_THAT(shown(), IsEmpty());
  EXPECT_EQ(text(last(), "quality"), "good");
}

TEST_F(UnsupportedPointsTest, ForgetsWhenTheMeterComesBackFromSilence) {
  refused_ = {5};
  start(seconds(10), {"r0", "r5"});
  run(minutes(2));
  line_.silent = {"1"};
  run(minutes(2));
  line_.silent.clear();
  refused_.clear();
  run(minutes(6));
  EXPECT_THAT(shown(), IsEmpty());
  EXPECT_EQ(text(last(), "quality"), "good");
}

TEST_F(UnsupportedPointsTest, ForgetsWhenTheProfileHasChanged) {
  refused_ = {5};
  start(seconds(10), {"r0", "r5"});
  run(minutes(2));
  const std::string kept = values_.values["refused.m1"];
  UnsupportedPoints same(profile_), other(profile_);
  same.restore(kept, clock_.mono(), clock_.utc());
  EXPECT_THAT(same.points(), ElementsAre(Pair("r5", 2)));
  other.restore("00000000" + kept.substr(8), clock_.mono(), clock_.utc());
  EXPECT_THAT(other.points(), IsEmpty());
}

TEST_F(UnsupportedPointsTest, ForgetsAfterADayAlsoWhenTheProcessWasOff) {
  refused_ = {5};
  start(seconds(10), {"r0", "r5"});
  run(minutes(2));
  const std::string kept = values_.values["refused.m1"];
  const UtcTime since = from_ms(std::stoll(kept.substr(8)));
  UnsupportedPoints young(profile_), old(profile_);
  young.restore(kept, clock_.mono(), since + Millis{86'399'999});
  EXPECT_THAT(young.points(), ElementsAre(Pair("r5", 2)));
  old.restore(kept, clock_.mono(), since + Millis{86'400'000});
  EXPECT_THAT(old.points(), IsEmpty());
}

TEST_F(UnsupportedPointsTest, CostsTheBusLittleWhereAMeterRefusesEverything) {
  refused_ = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  start(seconds(1), {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"});
  EXPECT_LE(blocks_of_next_reading(), 8u);
  EXPECT_EQ(blocks_of_next_reading(), 1u);
  run(minutes(10));
  EXPECT_LE(line_.blocks.size(), 600u + 10 * 8u);
  EXPECT_EQ(text(last(), "quality"), "bad");
  EXPECT_EQ(text(*last().find("error"), "code"), "exception_2");
}

TEST_F(UnsupportedPointsTest, FindsThePointsOfOnePollWhileAnotherIsRefusedAltogether) {
  refused_ = {0, 1, 5};
  add_poll(0, seconds(7), {"r0", "r1"}, "none");
  start(seconds(10), {"r4", "r5", "r6", "r7"});
  run(seconds(50));
  std::vector<std::size_t> values;
  for (const Json& reading : store_.readings) {
    if (text(reading, "poll") == "main") values.push_back(reading.find("values")->items.size());
  }
  EXPECT_GE(values.size(), 5u);
  EXPECT_THAT(values, ::testing::Each(3u));
}

TEST_F(UnsupportedPointsTest, AsksOnePointOfAMeterThatRefusesAllAndTakesItBackWhenThatIsAnswered) {
  refused_ = {0, 1, 2, 3};
  start(seconds(10), {"r0", "r1", "r2", "r3"});
  run(minutes(10));
  EXPECT_EQ(shown().size(), 4u);
  EXPECT_EQ(blocks_of_next_reading(), 1u);
  EXPECT_EQ(text(last(), "quality"), "bad");
  refused_.clear();
  blocks_of_next_reading();
  EXPECT_EQ(text(last(), "quality"), "good");
  EXPECT_EQ(last().find("values")->items.size(), 4u);
}

TEST_F(UnsupportedPointsTest, WritesWhatItLearnedAtMostOnceAMinute) {
  start(seconds(5), {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"});
  for (int i = 0; i < 30; ++i) {  // every minute another mind
    refused_ = i % 2 == 0 ? std::vector<int>{1, 3, 5} : std::vector<int>{};
    line_.silent = i % 2 == 0 ? std::set<std::string>{} : std::set<std::string>{"1"};
    run(seconds(75));
  }
  EXPECT_LE(values_.writes["refused.m1"], 38);
  EXPECT_GE(values_.writes["refused.m1"], 2);
}

}  // namespace
}  // namespace metergate
