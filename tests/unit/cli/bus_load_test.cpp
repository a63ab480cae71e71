#include "agent/cli/bus_load.h"

#include <gtest/gtest.h>

#include "agent/cli/data_volume.h"
#include "drivers/modbus/wire_time.h"
#include "tests/fakes/one_bus.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Meters of 9600 baud 8E1 with points at 10 (one register), 100 (two), 200 and 300: four requests for all, as nothing
/// may be read over.
class BusLoadTest : public testing::Test {
 protected:
  BusLoadTest() {
    SerialSettings serial;
    serial.baud = 9600;
    line_.bus.spec.settings.port = serial;
    line_.meter("m1", 1);
    line_.meter("m2", 2);
  }
  BusLoad load() const { return bus_load(line_.bus); }
  Micros request(std::uint16_t registers, Millis gap = Millis{0}) const {
    return wire_time(line_.bus.spec.settings, Target{}, Block{Table::kHolding, 0, registers}) + Millis{20} + gap;
  }

  OneBus line_;
};

TEST_F(BusLoadTest, CountsWireTimeTurnaroundAndTheGapThatIsAskedFor) {
  line_.bus.meters[0].target.gap = Millis{30};
  line_.bus.spec.settings.gap = Millis{10};
  line_.poll(0, seconds(10), {"power", "energy"});
  const BusLoad bus = load();
  ASSERT_EQ(bus.polls.size(), 1u);
  ASSERT_EQ(bus.polls[0].requests.size(), 2u);
  EXPECT_EQ(bus.polls[0].requests[0].block, (Block{Table::kHolding, 10, 1}));
  EXPECT_EQ(bus.polls[0].requests[0].time, request(1, Millis{30}));
  EXPECT_EQ(bus.polls[0].time, request(1, Millis{30}) + request(2, Millis{30}));
  EXPECT_NEAR(bus.share, static_cast<double>(bus.polls[0].time.count()) / 10e6, 1e-9);
}

TEST_F(BusLoadTest, TakesLessTurnaroundOnTcp) {
  line_.bus.spec.settings.port = TcpSettings{};
  line_.poll(0, seconds(1), {"power"});
  EXPECT_EQ(load().polls[0].time,
            wire_time(line_.bus.spec.settings, Target{}, Block{Table::kHolding, 10, 1}) + Millis{5});
}

TEST_F(BusLoadTest, AddsUpMetersAndPolls) {
  line_.poll(0, seconds(1), {"power"});
  line_.poll(1, seconds(2), {"energy"});
  EXPECT_NEAR(load().share,
              static_cast<double>(request(1).count()) / 1e6 + static_cast<double>(request(2).count()) / 2e6, 1e-9);
}

TEST_F(BusLoadTest, CountsSharedRequestsOnceWhereOneIntervalIsAMultipleOfTheOther) {
  line_.poll(0, seconds(10), {"power", "energy"});
  line_.poll(0, seconds(60), {"energy"}, "minute");
  EXPECT_NEAR(load().share, static_cast<double>((request(1) + request(2)).count()) / 10e6, 1e-9)
      << "every minute for nothing";
}

TEST_F(BusLoadTest, CountsOnlyTheRequestsThatALongerPollAdds) {
  line_.poll(0, seconds(10), {"power"});
  line_.poll(0, seconds(60), {"power", "energy"}, "minute");
  EXPECT_NEAR(load().share,
              static_cast<double>(request(1).count()) / 10e6 + static_cast<double>(request(2).count()) / 60e6, 1e-9);
}

TEST_F(BusLoadTest, CountsEqualIntervalsOfAMeterOnce) {
  line_.poll(0, seconds(10), {"power"});
  line_.poll(0, seconds(10), {"power"}, "again");
  EXPECT_NEAR(load().share, static_cast<double>(request(1).count()) / 10e6, 1e-9);
}

TEST_F(BusLoadTest, CountsBothInFullWhereNoIntervalIsAMultiple) {
  line_.poll(0, seconds(10), {"power"});
  line_.poll(0, seconds(15), {"power"}, "other");
  EXPECT_NEAR(load().share, static_cast<double>(request(1).count()) * (1 / 10e6 + 1 / 15e6), 1e-9);
}

TEST_F(BusLoadTest, LeavesBackToBackPollsOutOfTheShare) {
  line_.poll(0, seconds(1), {"power"});
  line_.poll(1, Millis{0}, {"energy"});
  const BusLoad bus = load();
  EXPECT_NEAR(bus.share, static_cast<double>(request(1).count()) / 1e6, 1e-9);
  EXPECT_EQ(bus.round, request(2));
}

TEST_F(BusLoadTest, NamesTheShortestUsualIntervalThatFits) {
  line_.poll(0, Millis{50}, {"power", "energy"});  // some 85 ms
  line_.poll(1, minutes(1), {"power"});
  ASSERT_GT(load().share, 1.0);
  EXPECT_EQ(interval_for(line_.bus, 0.8), Millis{200});
  EXPECT_EQ(interval_for(line_.bus, 0.1), Millis{1000});
  EXPECT_EQ(interval_for(line_.bus, 0), std::nullopt);
}

TEST_F(BusLoadTest, GivesBackToBackPollsWhatTheOthersLeave) {
  line_.poll(0, seconds(1), {"power"});
  line_.poll(1, Millis{0}, {"energy"});
  EXPECT_EQ(readings_a_day(line_.bus, 0), 86400);
  const double rest = 1 - static_cast<double>(request(1).count()) / 1e6;
  EXPECT_NEAR(readings_a_day(line_.bus, 1), 86400 * rest / (static_cast<double>(request(2).count()) / 1e6), 0.1);
}

class DataVolumeTest : public testing::Test {
 protected:
  DataVolume volume(Millis every, Millis commit_every, std::int64_t max_bytes = 256ll << 20) {
    OneBus line;
    line.bus.spec.settings.port = TcpSettings{};
    line.poll(line.meter("m", 1), every, {"power", "energy"});
    metergate::Site site;
    site.buses.push_back(line.bus);
    StoreSettings store;
    store.gateway = "g";
    store.commit_every = commit_every;
    store.max_bytes = max_bytes;
    return data_volume_of(site, store);
  }
};

TEST_F(DataVolumeTest, CountsRecordsAndBytesADay) {
  const DataVolume day = volume(seconds(10), seconds(1));
  EXPECT_EQ(day.records, 8640);
  EXPECT_GT(day.bytes, 8640 * 200.0) << "a record of two values has some 250 bytes";
  EXPECT_LT(day.bytes, 8640 * 350.0);
  const double row = day.bytes / day.records + 60;
  EXPECT_GT(row, 4060.0 / 13);
  EXPECT_LT(row, 4060.0 / 12) << "then 12 rows lie in a page";
  EXPECT_DOUBLE_EQ(day.stored, day.records * 4096 / 12);
}

TEST_F(DataVolumeTest, CountsATextByTheLengthThatItMayHave) {
  OneBus line("", "0", "text_a = holding 500 string registers=10\ntext_b = holding 600 string registers=30\n");
  line.poll(line.meter("m", 1), seconds(10), {"text_a"});
  line.poll(0, seconds(10), {"text_b"});
  line.poll(0, seconds(10), {"power"});
  const auto size = [&](std::size_t poll) { return reading_size("g", line.bus, line.bus.polls[poll]); };
  EXPECT_EQ(size(1) - size(0), 40u);
  const std::string text(20, 'x');
  EXPECT_EQ(size(0) - size(2), ("text_a\"" + text + "\"").size() - std::string("power1234.5").size());
}

TEST_F(DataVolumeTest, HoldsAnOutageAsLongAsTheCapAllows) {
  const DataVolume day = volume(seconds(10), seconds(1));
  EXPECT_LT(day.days, 256.0 * (1 << 20) / day.stored);
  EXPECT_GT(day.days, 0.8 * 256.0 * (1 << 20) / day.stored);
  EXPECT_NEAR(volume(seconds(20), seconds(1)).days, 2 * day.days, 0.01 * day.days);
}

TEST_F(DataVolumeTest, WritesLessToTheFlashWhenCommitsAreFewer) {
  const double each = volume(seconds(1), seconds(0)).flash;
  const double slow = volume(seconds(1), seconds(60)).flash;
  EXPECT_GT(each, 86400 * 8192.0) << "a commit of one record writes more than two pages";
  EXPECT_LT(each, 86400 * 16384.0);
  EXPECT_LT(slow, each / 5);
}

TEST_F(DataVolumeTest, IsNothingWithoutPolls) {
  const DataVolume none = data_volume_of(metergate::Site{}, StoreSettings{});
  EXPECT_EQ(none.records, 0);
  EXPECT_EQ(none.flash, 0);
}

}  // namespace
}  // namespace metergate
