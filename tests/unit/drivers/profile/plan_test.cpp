#include "drivers/profile/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "tests/unit/drivers/profile/profile_text.h"

namespace metergate {

void PrintTo(const Block& block, std::ostream* out) {
  *out << static_cast<int>(block.table) << ":" << block.address << "+" << block.count;
}

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<const Point*> named(const Profile& profile, const std::vector<std::string>& names) {
  std::vector<const Point*> points;
  for (const std::string& name : names) points.push_back(profile.find(name));
  return points;
}

std::vector<const Point*> all(const Profile& profile) { return named(profile, profile.point_names()); }

Block holding(int address, int count) {
  return {Table::kHolding, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}

TEST(PlanTest, ReadsNeighboursAtOnceWhateverTheOrderAskedFor) {
  const Profile profile = profile_of("c = holding 4 u32\na = holding 0 u32\nb = holding 2 u32\n");
  EXPECT_THAT(plan_blocks(profile, all(profile), {}), ElementsAre(holding(0, 6)));
  EXPECT_THAT(plan_blocks(profile, {}, {}), IsEmpty());
}

TEST(PlanTest, KeepsTablesApartAndSorted) {
  const Profile profile = profile_of("a = holding 0 u16\nb = input 0 u16\nc = coil 0 u16\nd = discrete 0 u16\n");
  EXPECT_THAT(
      plan_blocks(profile, all(profile), {}),
      ElementsAre(Block{Table::kCoil, 0, 1}, Block{Table::kDiscrete, 0, 1}, Block{Table::kInput, 0, 1}, holding(0, 1)));
}

TEST(PlanTest, ReadsOverAHoleWhereThatIsCheaperThanAnotherRequest) {
  const Profile profile = profile_of("a = holding 0 u16\nb = holding 11 u16\n");
  EXPECT_THAT(plan_blocks(profile, all(profile), {125, 11}), ElementsAre(holding(0, 12)));
  EXPECT_THAT(plan_blocks(profile, all(profile), {125, 10}), ElementsAre(holding(0, 12)));  // equal: fewer requests
  EXPECT_THAT(plan_blocks(profile, all(profile), {125, 9}), ElementsAre(holding(0, 1), holding(11, 1)));
  EXPECT_THAT(plan_blocks(profile, all(profile), {125, 0}), ElementsAre(holding(0, 1), holding(11, 1)));
}

TEST(PlanTest, ReadsOverNoLongerHoleThanTheProfileLets) {
  const std::string points = "a = holding 0 u16\nb = holding 5 u16\nc = holding 11 u16\n";
  const auto blocks = [&](const std::string& header) {
    const Profile profile = profile_of(points, header);
    return plan_blocks(profile, all(profile), {125, 100});
  };
  EXPECT_THAT(blocks("hole = 5"), ElementsAre(holding(0, 12)));
  EXPECT_THAT(blocks("hole = 4"), ElementsAre(holding(0, 6), holding(11, 1)));
  EXPECT_THAT(blocks("hole = 0"), ElementsAre(holding(0, 1), holding(5, 1), holding(11, 1)));
}

TEST(PlanTest, WhatOtherPointsCoverIsNoHole) {
  const Profile profile = profile_of("a = holding 0 u32\nb = holding 2 u64\nc = holding 6 u16\n", "hole = 0");
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a", "c"}), {}), ElementsAre(holding(0, 7)));
}

TEST(PlanTest, KeepsRegistersOfFourBytesApartAndReadsHalfAsMany) {
  const Profile profile = profile_of(
      "a = holding 0 u32\nb = holding 2 u32 register_bytes=4\nc = holding 3 u64 register_bytes=4\nd = holding 64 f32 "
      "register_bytes=4\n");
  EXPECT_EQ(profile.points[2].registers, 2);
  EXPECT_THAT(plan_blocks(profile, all(profile), {125, 1000}),
              ElementsAre(holding(0, 2), Block{Table::kHolding, 2, 3, 4}, Block{Table::kHolding, 64, 1, 4}));
  EXPECT_THAT(plan_blocks(profile, named(profile, {"c", "d"}), {125, 1000}),
              ElementsAre(Block{Table::kHolding, 3, 62, 4}));
}

TEST(PlanTest, SplitsBetweenValuesOnly) {
  const Profile profile = profile_of("a = holding 0 u64\nb = holding 4 u64\nc = holding 8 u64\n", "max_registers = 9");
  EXPECT_THAT(plan_blocks(profile, all(profile), {}),
              testing::AnyOf(ElementsAre(holding(0, 8), holding(8, 4)), ElementsAre(holding(0, 4), holding(4, 8))));
  EXPECT_EQ(plan_blocks(profile, all(profile), {7, 26}).size(), 3u);
}

TEST(PlanTest, StartsAndEndsInsideNoValueOfTheProfileAskedForOrNot) {
  const Profile profile = profile_of("whole = holding 0 u32\nlow = holding 1 u16\nother = holding 2 u16\n");
  EXPECT_THAT(plan_blocks(profile, named(profile, {"low"}), {}), ElementsAre(holding(0, 2)));
}

TEST(PlanTest, ReadsOnlyWhatIsAskedForWhereOverlappingPointsAreWiderThanARead) {
  const Profile profile = profile_of("a = holding 0 u64\nb = holding 3 u64\nc = holding 6 u64\n", "max_registers = 4");
  EXPECT_THAT(plan_blocks(profile, all(profile), {}), ElementsAre(holding(0, 4), holding(3, 4), holding(6, 4)));
}

TEST(PlanTest, ReadsAValueWiderThanTheLimitAlone) {
  const Profile profile = profile_of("a = holding 0 u16\nb = holding 1 u64\nc = holding 5 u16\n");
  EXPECT_THAT(plan_blocks(profile, all(profile), {2, 26}), ElementsAre(holding(0, 1), holding(1, 4), holding(5, 1)));
}

TEST(PlanTest, ReadsPartsWhereTheyAre) {
  const Profile profile = profile_of("a = holding 100 u32 parts=100+0\n");
  EXPECT_THAT(plan_blocks(profile, all(profile), {}), ElementsAre(holding(0, 1), holding(100, 1)));
  EXPECT_THAT(registers_of(profile.points[0]), ElementsAre(holding(100, 1), holding(0, 1)));
}

TEST(PlanTest, ReadsWhatAPointIsScaledByToo) {
  const Profile profile = profile_of(
      "p = holding 0 u16 exponent=e times=t\ne = holding 50 u16 sign=s\nt = input 7 u16\ns = holding 90 u16\nx = "
      "holding 30 u16\n");
  EXPECT_THAT(with_dependencies(profile, named(profile, {"p", "t"})),
              ElementsAre(profile.find("p"), profile.find("e"), profile.find("s"), profile.find("t")));
  EXPECT_THAT(plan_blocks(profile, named(profile, {"p"}), {}),
              ElementsAre(Block{Table::kInput, 7, 1}, holding(0, 1), holding(50, 1), holding(90, 1)));
}

TEST(PlanTest, ReadsOverNothingThatTheMeterRefused) {
  const Profile profile = profile_of("a = holding 0 u16\nb = holding 1 u16\nc = holding 2 u16\nd = holding 3 u16\n");
  const auto points = named(profile, {"a", "c", "d"});
  EXPECT_THAT(plan_blocks(profile, points, {}), ElementsAre(holding(0, 4)));
  EXPECT_THAT(plan_blocks(profile, points, {}, {holding(1, 1)}), ElementsAre(holding(0, 1), holding(2, 2)));
  EXPECT_THAT(plan_blocks(profile, points, {}, {holding(3, 0)}), ElementsAre(holding(0, 3), holding(3, 1)));
  EXPECT_THAT(plan_blocks(profile, points, {}, {{Table::kInput, 1, 1}}), ElementsAre(holding(0, 4)));
}

TEST(PlanTest, KeepsNoValueWholeWithOneThatTheMeterRefused) {
  const Profile profile = profile_of("a = holding 0 u16\nwide = holding 0 u64\n");
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a"}), {}), ElementsAre(holding(0, 4)));
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a"}), {}, {holding(0, 4)}), ElementsAre(holding(0, 1)));
}

TEST(PlanTest, HalvesARefusedBlockByValues) {
  const Profile profile = profile_of("a = holding 0 u16\nb = holding 1 u32\nc = holding 5 u16\nd = holding 9 u16\n");
  EXPECT_THAT(halves_of(holding(0, 10), all(profile)), ElementsAre(holding(0, 3), holding(5, 5)));
  EXPECT_THAT(halves_of(holding(0, 3), all(profile)), ElementsAre(holding(0, 1), holding(1, 2)));
  EXPECT_THAT(halves_of(holding(1, 2), all(profile)), IsEmpty());
  EXPECT_THAT(halves_of(holding(0, 4), named(profile, {"b"})), ElementsAre(holding(1, 2)));
}

TEST(PlanTest, HalvesValuesThatOverlapIntoNarrowerBlocks) {
  const Profile profile = profile_of("a = holding 0 u64\nb = holding 1 u16\nc = holding 2 u64\nd = holding 0 u32\n");
  EXPECT_THAT(halves_of(holding(0, 6), all(profile)), ElementsAre(holding(0, 4), holding(2, 4)));
  EXPECT_THAT(halves_of(holding(0, 4), all(profile)), IsEmpty());
}

TEST(PlanTest, ReadsTwoThousandBitsAtOnceAndCountsThemASixteenth) {
  const Profile profile = profile_of("a = coil 0 u16\nb = coil 1999 u16\nc = coil 2000 u16\n", "max_registers = 10");
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a", "b"}), {10, 125}), ElementsAre(Block{Table::kCoil, 0, 2000}));
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a", "b"}), {10, 120}),
              ElementsAre(Block{Table::kCoil, 0, 1}, Block{Table::kCoil, 1999, 1}));
  EXPECT_THAT(plan_blocks(profile, named(profile, {"a", "c"}), {10, 1000}),
              ElementsAre(Block{Table::kCoil, 0, 1}, Block{Table::kCoil, 2000, 1}));
}

/// Tries every set of reads, register by register, and keeps the cheapest.
class Exhaustive {
 public:
  Exhaustive(const Profile& profile, const std::vector<const Point*>& wanted, int limit, int request)
      : profile_(profile), limit_(limit), request_(request), covered_(kEnd + 1), inside_(kEnd + 1) {
    for (const Point& point : profile.points) {
      for (int i = 0; i < point.registers; ++i) covered_[at(point) + static_cast<std::size_t>(i)] = true;
      for (int i = 1; i < point.registers; ++i) inside_[at(point) + static_cast<std::size_t>(i)] = true;
    }
    for (const Point* point : wanted)
      wanted_.emplace(at(*point), at(*point) + static_cast<std::size_t>(point->registers));
  }

  /// {cost, reads}; the cost is infinite when nothing allowed reads everything.
  using Best = std::pair<double, int>;
  Best best(std::size_t from = 0) const {
    const auto next = wanted_.lower_bound({from, 0});
    if (next == wanted_.end()) return {0, 0};
    Best found{std::numeric_limits<double>::infinity(), 0};
    for (std::size_t start = from; start <= next->first; ++start) {
      for (std::size_t end = next->second; end <= kEnd; ++end) {
        if (!allowed(start, end)) continue;
        const Best rest = best(end);
        found = std::min(found, {rest.first + request_ + static_cast<double>(end - start), rest.second + 1});
      }
    }
    return found;
  }

  bool allowed(std::size_t start, std::size_t end) const {
    if (end - start > static_cast<std::size_t>(limit_) || inside_[start] || inside_[end]) return false;
    int run = 0;
    for (std::size_t i = start; i < end; ++i) {
      run = covered_[i] ? 0 : run + 1;
      if (profile_.hole && run > *profile_.hole) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kEnd = 18;
  static std::size_t at(const Point& point) { return point.addresses.front(); }

  const Profile& profile_;
  int limit_;
  int request_;
  std::vector<bool> covered_, inside_;
  std::set<std::pair<std::size_t, std::size_t>> wanted_;
};

TEST(PlanTest, FindsTheCheapestReadsThereAre) {
  std::mt19937 random(11);
  const auto draw = [&](int from, int to) {
    return from + static_cast<int>(random() % static_cast<unsigned>(to - from + 1));
  };
  const char* types[] = {"u16", "u32", "u48", "u64"};
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    std::string points;
    for (int i = 0, count = draw(1, 6); i < count; ++i) {
      points += "p" + std::to_string(i) + " = holding " + std::to_string(draw(0, 13)) + " " + types[draw(0, 3)] + "\n";
    }
    const Profile profile = profile_of(points, draw(0, 1) == 0 ? "" : "hole = " + std::to_string(draw(0, 5)));
    std::vector<const Point*> wanted;
    for (const Point& point : profile.points) {
      if (draw(0, 2) != 0) wanted.push_back(&point);
    }
    const int limit = draw(4, 18);
    const int request = draw(0, 8);
    const Exhaustive exhaustive(profile, wanted, limit, request);
    const auto [cost, reads] = exhaustive.best();
    if (cost == std::numeric_limits<double>::infinity()) continue;  // values that overlap beyond the limit
    const auto blocks = plan_blocks(profile, wanted, {limit, static_cast<double>(request)});
    double planned = 0;
    for (const Block& block : blocks) {
      planned += request + block.count;
      EXPECT_TRUE(exhaustive.allowed(block.address, static_cast<std::size_t>(block.address) + block.count)) << points;
    }
    for (const Point* point : wanted) {
      const bool read = std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) {
        return block.address <= point->addresses[0] &&
               point->addresses[0] + point->registers <= block.address + block.count;
      });
      EXPECT_TRUE(read) << points << point->name;
    }
    EXPECT_EQ(planned, cost) << points << "limit " << limit << " request " << request;
    EXPECT_EQ(static_cast<int>(blocks.size()), reads) << points;
    ++compared;
  }
  EXPECT_GT(compared, 250);
}

}  // namespace
}  // namespace metergate
