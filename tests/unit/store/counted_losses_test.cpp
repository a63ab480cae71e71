#include "store/sqlite/counted_losses.h"

#include <gmock/gmock.h>

#include "store/sqlite/counter_table.h"
#include "tests/unit/store/memory_store.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

LostReadings lost(std::int64_t count, const std::string& meter, std::int64_t from, std::int64_t to,
                  const std::string& why = "full") {
  return LostReadings{count, {meter}, from_ms(from), from_ms(to), why};
}

class CountedLossesTest : public MemoryStore {
 protected:
  CountedLossesTest() {
    const auto times = [](UtcTime from, UtcTime to) {
      return " " + std::to_string(to_ms(from)) + "-" + std::to_string(to_ms(to));
    };
    const auto list = [](const std::vector<std::string>& names) {
      std::string text;
      for (const std::string& name : names) text += " " + name;
      return text;
    };
    format_.lost = [=](std::int64_t count, const std::vector<std::string>& meters, UtcTime from, UtcTime to,
                       const std::string& why, UtcTime) {
      return Draft{Lane::kEvents, {}, "", true, std::to_string(count) + times(from, to) + " " + why + list(meters)};
    };
    format_.refused = [=](std::int64_t count, const std::vector<std::string>& ids, UtcTime from, UtcTime to, UtcTime) {
      return Draft{Lane::kEvents, {}, "", true, std::to_string(count) + times(from, to) + list(ids)};
    };
  }
  std::vector<std::string> tell() {
    std::vector<std::string> told;
    for (const Draft& event : losses_.tell(format_, from_ms(0))) told.push_back(event.body);
    return told;
  }
  std::int64_t pages() { return connection_.number("PRAGMA page_count"); }

  RecordFormat format_;
  Counters counters_;
  CounterTable counter_table_{connection_};
  StoreProperties properties_{connection_};
  CountedLosses losses_{properties_, counters_};
};

TEST_F(CountedLossesTest, TellsTheSumOnce) {
  losses_.add(lost(3, "m1", 100, 200, "first"));
  losses_.add(lost(2, "m2", 50, 150, "second"));
  losses_.add_refused("c1", from_ms(70));
  losses_.add_refused("c2", from_ms(60));
  EXPECT_TRUE(losses_.untold());
  EXPECT_THAT(tell(), ElementsAre("5 50-200 first m1 m2", "2 60-70 c1 c2"));
  EXPECT_FALSE(losses_.untold());
  EXPECT_THAT(tell(), IsEmpty());
  losses_.add_refused("c3", from_ms(80));
  EXPECT_THAT(tell(), ElementsAre("1 80-80 c3"));
  EXPECT_EQ(counters_.refused.count, 3);
}

TEST_F(CountedLossesTest, NamesTheFirstTenCommandsEachOnce) {
  for (int i = 0; i < 12; ++i) losses_.add_refused("c" + std::to_string(i), from_ms(i));
  losses_.add_refused("c0", from_ms(20));
  EXPECT_THAT(tell(), ElementsAre("13 0-20 c0 c1 c2 c3 c4 c5 c6 c7 c8 c9"));
}

TEST_F(CountedLossesTest, GoesOnAfterARestartWhereItWas) {
  losses_.add_refused("c1", from_ms(70));
  losses_.add(lost(3, "m1", 100, 200));
  counter_table_.write(counters_);
  Counters later;
  counter_table_.read(later);
  CountedLosses other(properties_, later);
  other.add_refused("c2", from_ms(80));
  std::vector<std::string> told;
  for (const Draft& event : other.tell(format_, from_ms(0))) told.push_back(event.body);
  EXPECT_THAT(told, ElementsAre("3 100-200 full m1", "2 70-80 c1 c2"));
}

TEST_F(CountedLossesTest, NeedsNoFurtherPageHoweverMuchItCounts) {
  properties_.set(StoreProperties::Property::kGateway, std::string(64, 'g'));
  counter_table_.write(counters_);
  const std::int64_t before = pages();
  for (int i = 0; i < 1000; ++i) {
    losses_.add(lost(1LL << 40, std::string(60, 'm') + std::to_string(i), 1LL << 45, 1LL << 46));
    losses_.add_refused(std::string(124, 'c') + std::to_string(i), from_ms(1LL << 45));
    counter_table_.write(counters_);
  }
  EXPECT_EQ(pages(), before);
}

TEST_F(CountedLossesTest, GivesOutAKeySoThatACommitThatFailedCanBeKnown) {
  const std::int64_t before = counters_.next_key;
  losses_.add_refused("c1", from_ms(70));
  EXPECT_EQ(counters_.next_key, before + 1);
  EXPECT_TRUE(counters_.unsaved);
  losses_.add(LostReadings{});
  EXPECT_EQ(counters_.next_key, before + 1) << "nothing was lost";
}

TEST(LostReadings, NamesAtMostAHundredMeters) {
  LostReadings sum;
  for (int i = 0; i < 150; ++i)
    sum.add(lost(1, "m" + std::to_string(i), 1000 + i, 1000 + i, "why " + std::to_string(i)));
  EXPECT_EQ(sum.count, 150);
  EXPECT_EQ(sum.meters.size(), 100u);
  EXPECT_EQ(sum.from, from_ms(1000));
  EXPECT_EQ(sum.to, from_ms(1149));
  EXPECT_EQ(sum.why, "why 0");
}

}  // namespace
}  // namespace metergate
