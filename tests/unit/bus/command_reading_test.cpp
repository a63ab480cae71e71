#include "agent/bus/command_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/profile/plan.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

/// A meter of five neighbouring values, which refuses some, asked for all of them.
class CommandReadingTest : public ::testing::Test {
 protected:
  CommandReadingTest()
      : profile_(*parse_profile("five", "five.ini",
                                "[profile]\nformat = 1\nname = Five\nmaker = None\nmodel = Five\n[points]\n"
                                "r0 = holding 0 u16\nr1 = holding 1 u16\nr2 = holding 2 u16\nr3 = holding 3 u16\n"
                                "sum = holding 4 u16 times=r1\n",
                                [](const std::string&) { return std::nullopt; })) {
    meter_.profile = &profile_;
  }

  void read() {
    CommandPlan plan;
    for (const Point& point : profile_.points) plan.points.push_back(&point);
    plan.blocks = plan_blocks(profile_, plan.points, {});
    CommandReading reading(&meter_, plan);
    while (const auto block = reading.next()) {
      ++requests_;
      const bool hit = std::any_of(refused_.begin(), refused_.end(), [&](int address) {
        return block->address <= address && address < block->address + block->count;
      });
      if (!hit) {
        reading.answered(Words(block->count, 7), MonoTime{});
      } else if (!reading.failed(Error{Errc::kException, "refused", exception_}, MonoTime{})) {
        break;
      }
    }
    failure_ = reading.conclude(result_);
  }
  std::vector<std::string> values() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : result_.values) names.push_back(name);
    return names;
  }
  std::vector<std::pair<std::string, std::string>> errors() const {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [name, failure] : result_.errors) found.emplace_back(name, failure.code);
    return found;
  }

  Profile profile_;
  MeterConfig meter_;
  std::vector<int> refused_;
  int exception_ = 2;
  int requests_ = 0;
  CommandResult result_;
  std::optional<Failure> failure_;
};

TEST_F(CommandReadingTest, AsksOnceForWhatIsAnsweredAtOnce) {
  read();
  EXPECT_EQ(requests_, 1);
  EXPECT_THAT(values(), ElementsAre("r0", "r1", "r2", "r3", "sum"));
  EXPECT_FALSE(failure_);
}

TEST_F(CommandReadingTest, MissesOnlyThePointThatIsRefused) {
  refused_ = {3};
  read();
  EXPECT_THAT(values(), ElementsAre("r0", "r1", "r2", "sum"));
  EXPECT_THAT(errors(), ElementsAre(Pair("r3", "exception_2")));
  EXPECT_FALSE(failure_);
}

TEST_F(CommandReadingTest, MissesAlsoWhatNeedsTheRefusedPoint) {
  refused_ = {1};
  read();
  EXPECT_THAT(values(), ElementsAre("r0", "r2", "r3"));
  EXPECT_THAT(errors(), ElementsAre(Pair("r1", "exception_2"), Pair("sum", "exception_2")));
}

TEST_F(CommandReadingTest, GivesUpOnAMeterThatRefusesEverything) {
  refused_ = {0, 1, 2, 3, 4};
  read();
  EXPECT_LE(requests_, 6);
  EXPECT_THAT(values(), IsEmpty());
  ASSERT_TRUE(failure_);
  EXPECT_EQ(failure_->code, "exception_2");
}

TEST_F(CommandReadingTest, DoesNotSplitForAnExceptionThatNoPartIsToBlameFor) {
  refused_ = {3};
  exception_ = 4;
  read();
  EXPECT_EQ(requests_, 1);
  ASSERT_TRUE(failure_);
  EXPECT_EQ(failure_->code, "exception_4");
}

}  // namespace
}  // namespace metergate
