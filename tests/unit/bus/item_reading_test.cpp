#include <gtest/gtest.h>

#include "agent/bus/block_reader.h"
#include "drivers/bus_error.h"
#include "drivers/profile/plan.h"

namespace metergate {
namespace {

constexpr const char* kProfile = R"([profile]
format = 1
protocol = dlt645-2007
[points]
active_energy_import    = di 00010000 bcd bytes=4 scale=0.01 block=0001FF00+0
active_energy_import_t1 = di 00010100 bcd bytes=4 scale=0.01 block=0001FF00+4
active_energy_import_t2 = di 00010200 bcd bytes=4 scale=0.01 block=0001FF00+8
voltage_l1              = di 02010100 bcd bytes=2 scale=0.1
)";

/// Reading data items of one meter, block by block.
class ItemReadingTest : public testing::Test {
 protected:
  ItemReadingTest()
      : profile_(*parse_profile("p", "p.ini", kProfile, [](const std::string&) { return std::nullopt; })),
        unsupported_(profile_) {
    meter_.profile = &profile_;
    for (const Point& point : profile_.points) points_.push_back(&point);
  }

  static Block item(std::uint32_t id, int count) {
    Block block = whole_item(id, Family::kDlt645);
    block.count = static_cast<std::uint16_t>(count);
    return block;
  }
  static Error refused(int bits) { return {Errc::kException, "no", kErrorWord + bits}; }
  void ask() { reader_.ask(points_, plan_blocks(profile_, points_, {}, unsupported_.learned())); }
  std::string value(const std::string& name) {
    const auto& decoded = reader_.value(*profile_.find(name));
    return decoded ? decoded->value.text : decoded.error().detail;
  }
  const Words energies_{0x78, 0x56, 0x34, 0x12, 0x11, 0, 0, 0, 0x22, 0, 0, 0};

  Profile profile_;
  MeterConfig meter_;
  UnsupportedPoints unsupported_;
  std::vector<const Point*> points_;
  BlockReader reader_{meter_, &unsupported_};
  MonoTime now_{std::chrono::hours(1)};
};

TEST_F(ItemReadingTest, TakesTheItemsOfABlockFromOneAnswer) {
  ask();
  EXPECT_EQ(reader_.next(), item(0x0001FF00, 12));
  reader_.answered(energies_, now_);
  EXPECT_EQ(reader_.next(), item(0x02010100, 2));
  reader_.answered({0x05, 0x23}, now_);
  EXPECT_FALSE(reader_.next());
  EXPECT_EQ(value("active_energy_import"), "123456.78");
  EXPECT_EQ(value("active_energy_import_t2"), "0.22");
  EXPECT_EQ(value("voltage_l1"), "230.5");
  for (const Point* point : points_) EXPECT_TRUE(reader_.came(*point)) << point->name;
}

TEST_F(ItemReadingTest, AsksForSingleItemsWhereTheBlockIsRefused) {
  ask();
  EXPECT_TRUE(reader_.failed(refused(kNoDataBit), now_));
  EXPECT_EQ(reader_.next(), item(0x00010000, 4));
  reader_.answered({0x78, 0x56, 0x34, 0x12}, now_);
  EXPECT_EQ(reader_.next(), item(0x00010100, 4));
  EXPECT_FALSE(reader_.failed(refused(kNoDataBit), now_));
  EXPECT_EQ(reader_.next(), item(0x00010200, 4));
  reader_.answered({0x22, 0, 0, 0}, now_);
  EXPECT_EQ(value("active_energy_import"), "123456.78");
  EXPECT_EQ(exception_code(reader_.failure(*profile_.find("active_energy_import_t1"))->exception), "no_data");
}

TEST_F(ItemReadingTest, AsksForWhatAShortBlockLacks) {
  ask();
  reader_.answered({0x78, 0x56, 0x34, 0x12, 0x11, 0, 0, 0}, now_);
  std::vector<Block> asked;
  while (const auto block = reader_.next()) {
    asked.push_back(*block);
    reader_.failed(refused(kNoDataBit), now_);
  }
  EXPECT_EQ(asked, (std::vector<Block>{item(0x02010100, 2), item(0x00010200, 4)}));
  EXPECT_EQ(value("active_energy_import_t1"), "0.11");
  EXPECT_TRUE(reader_.failure(*profile_.find("active_energy_import_t2")));
}

TEST_F(ItemReadingTest, LearnsARefusedBlockAndReadsItsItemsForADay) {
  for (int i = 0; i < UnsupportedPoints::kTimes; ++i) {
    BlockReader reader(meter_, &unsupported_);
    reader.ask(points_, plan_blocks(profile_, points_, {}, unsupported_.learned()));
    ASSERT_EQ(reader.next(), item(0x0001FF00, 12));
    reader.failed(refused(kNoDataBit), now_);
    while (reader.next()) reader.answered({1, 0, 0, 0}, now_);
    now_ += UnsupportedPoints::kOver;
  }
  const std::vector<Block> plan = plan_blocks(profile_, points_, {}, unsupported_.learned());
  EXPECT_EQ(plan.size(), 4U);
  EXPECT_TRUE(unsupported_.points().empty()) << "every point can be read";
  UnsupportedPoints again(profile_);
  again.restore(unsupported_.text(now_, from_ms(1'700'000'000'000)), now_, from_ms(1'700'000'000'000));
  EXPECT_EQ(again.learned(), unsupported_.learned()) << "kept over a restart";
}

TEST_F(ItemReadingTest, TellsOfAnItemThatIsTooShort) {
  ask();
  reader_.answered(energies_, now_);
  reader_.answered({0x05}, now_);
  const auto failure = reader_.failure(*profile_.find("voltage_l1"));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->detail, "di 02010100 has 1 bytes, and 2 were expected");
}

TEST_F(ItemReadingTest, AsksABlockAgainForOneOfItsItems) {
  ask();
  reader_.answered(energies_, now_);
  reader_.answered({0x05, 0x23}, now_);
  reader_.ask_again(*profile_.find("active_energy_import_t1"));
  EXPECT_EQ(reader_.next(), item(0x0001FF00, 12));
  EXPECT_FALSE(reader_.came(*profile_.find("active_energy_import_t1")));
  reader_.answered(energies_, now_);
  EXPECT_EQ(value("active_energy_import_t1"), "0.11");
}

}  // namespace
}  // namespace metergate
