#include "drivers/modbus/unanswered_requests.h"

#include <gmock/gmock.h>

#include <ostream>

namespace metergate {

void PrintTo(const Block& block, std::ostream* out) {
  *out << "table " << static_cast<int>(block.table) << ", " << block.address << " +" << block.count;
}

namespace {

Block holding(int address, int count) {
  return {Table::kHolding, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}
Block input(int address, int count) {
  return {Table::kInput, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}
Block coils(int address, int count) {
  return {Table::kCoil, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}

class UnansweredRequestsTest : public ::testing::Test {
 protected:
  void left_open(const Block& block) { open_.add(shape_of(block)); }
  bool hides(const Block& block) const { return open_.hides(shape_of(block)); }
  bool answered(const Block& block) { return open_.take(shape_of(block), Fit::kAnswer); }
  bool refused(const Block& block) { return open_.take(shape_of(block), Fit::kException); }

  UnansweredRequests open_;
};

TEST_F(UnansweredRequestsTest, HidesWhatHasTheSameFunctionAndLengthWhateverTheAddress) {
  left_open(holding(100, 10));

  EXPECT_TRUE(hides(holding(500, 10)));
  EXPECT_FALSE(hides(holding(100, 9)));
  EXPECT_FALSE(hides(input(100, 10)));
}

TEST_F(UnansweredRequestsTest, HidesBitsThatFillAsManyBytes) {
  left_open(coils(0, 5));

  EXPECT_TRUE(hides(coils(0, 8)));
  EXPECT_FALSE(hides(coils(0, 9)));
}

TEST_F(UnansweredRequestsTest, IsPastEverythingOnceAShapeOfItsOwnIsAnswered) {
  left_open(holding(100, 10));
  left_open(holding(200, 4));

  EXPECT_TRUE(answered(holding(100, 9)));

  EXPECT_TRUE(open_.empty());
}

TEST_F(UnansweredRequestsTest, IsPastOnlyWhatCameBeforeTheOldestThatAnAnswerMayBelongTo) {
  left_open(holding(1, 2));
  left_open(holding(100, 10));
  left_open(holding(200, 4));

  EXPECT_FALSE(answered(holding(300, 10)));

  EXPECT_FALSE(hides(holding(1, 2)));
  EXPECT_FALSE(hides(holding(100, 10)));
  EXPECT_TRUE(hides(holding(200, 4)));
}

TEST_F(UnansweredRequestsTest, TakesAnExceptionForALateOneOfTheSameFunction) {
  left_open(holding(100, 10));

  EXPECT_FALSE(refused(holding(100, 9)));
}

TEST_F(UnansweredRequestsTest, TakesAnExceptionOfAnotherFunctionForWhatItIs) {
  left_open(holding(100, 10));

  EXPECT_TRUE(refused(input(100, 10)));

  EXPECT_TRUE(open_.empty());
}

TEST_F(UnansweredRequestsTest, AsksAnotherFunctionAfterAnExceptionThatItCouldNotAttribute) {
  left_open(holding(100, 10));
  refused(holding(100, 9));
  left_open(holding(100, 10));

  EXPECT_EQ(open_.guard(holding(100, 10), 125), input(100, 10));
}

TEST_F(UnansweredRequestsTest, ForgetsTheOldestSoThatAMeterThatAnswersOneShapeOnlyComesBack) {
  left_open(holding(100, 10));
  for (std::size_t i = 0; i < UnansweredRequests::kMost; ++i) left_open(*open_.guard(holding(100, 10), 125));

  EXPECT_FALSE(hides(holding(100, 10)));
}

TEST_F(UnansweredRequestsTest, NeverRunsOutOfGuards) {
  const std::vector<std::pair<Block, int>> asked{
      {holding(0, 125), 125}, {holding(65535, 1), 125}, {input(7, 1), 1}, {coils(3, 1), 125}, {coils(0, 2000), 1}};
  for (const auto& [block, max_registers] : asked) {
    open_ = UnansweredRequests();
    left_open(block);
    for (std::size_t i = 0; i < 2 * UnansweredRequests::kMost; ++i) {
      const std::optional<Block> guard = open_.guard(block, max_registers);
      ASSERT_TRUE(guard.has_value()) << ::testing::PrintToString(block) << " " << i;
      EXPECT_FALSE(hides(*guard));
      left_open(*guard);
    }
  }
}

struct GuardCase {
  Block asked;
  int max_registers;
  std::vector<Block> guards;  ///< in turn, each left unanswered too
};

class GuardTest : public UnansweredRequestsTest, public ::testing::WithParamInterface<GuardCase> {};

TEST_P(GuardTest, StaysNearTheRegistersAskedAndWithinTheMetersLimits) {
  left_open(GetParam().asked);

  for (const Block& expected : GetParam().guards) {
    EXPECT_EQ(open_.guard(GetParam().asked, GetParam().max_registers), expected);
    left_open(expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GuardTest,
    ::testing::Values(
        GuardCase{holding(100, 10), 125, {holding(100, 9), input(100, 10), holding(100, 8), input(100, 9)}},
        GuardCase{input(100, 125), 125, {input(100, 124), holding(100, 125)}},
        GuardCase{holding(100, 1), 2, {holding(100, 2), input(100, 1), input(100, 2)}},
        GuardCase{holding(100, 1), 1, {input(100, 1), coils(100, 1), coils(100, 9)}},
        GuardCase{holding(65535, 1), 125, {holding(65534, 2), input(65535, 1), holding(65533, 3)}},
        GuardCase{coils(10, 16), 125, {coils(10, 8), Block{Table::kDiscrete, 10, 16}}},
        GuardCase{coils(10, 3), 125, {coils(10, 11), Block{Table::kDiscrete, 10, 3}}}));

}  // namespace
}  // namespace metergate
