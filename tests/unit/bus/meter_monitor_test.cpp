#include "agent/bus/meter_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/one_meter.h"

namespace metergate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint16_t kEnergy = 100, kLowWord = 101, kSerial = 200, kWrapping = 300;

/// A meter with a serial number, a counter, one that starts again at 10000, and a power.
class MeterMonitorTest : public OneMeterTest {
 protected:
  MeterMonitorTest()
      : OneMeterTest(
            "active_power = holding 10 u16\nactive_energy_import = holding 100 u32\n"
            "serial_number = holding 200 u16\nwater = holding 300 u16 kind=counter unit=l wraps=10000\n") {
    line_.registers = {{kEnergy, 0}, {kLowWord, 5000}, {kSerial, 111}, {kWrapping, 9900}};
  }
  void start_all(Millis every = seconds(10)) { start(every, {"active_power", "active_energy_import", "water"}); }
  const Json& last() const { return store_.readings.back(); }
  std::string serial() const { return last().find("serial") == nullptr ? "" : text(last(), "serial"); }
  static std::string number(const Json& json, const char* name) { return json.find(name)->text; }
  std::string value(const char* point) const { return number(*last().find("values"), point); }
  std::string flag(const char* point) const {
    const Json* flags = last().find("flags");
    const Json* own = flags == nullptr ? nullptr : flags->find(point);
    return own == nullptr || own->items.size() != 1 ? "" : own->items[0].text;
  }
  std::ptrdiff_t reads_of(std::uint16_t address) const {
    return std::count_if(line_.blocks.begin(), line_.blocks.end(),
                         [=](const Block& b) { return b.address == address; });
  }
  void next_reading() {
    const std::size_t readings = store_.readings.size();
    while (store_.readings.size() == readings) run(seconds(1));
  }
};

TEST_F(MeterMonitorTest, ConfirmsACounterThatFellByASecondReadAndTellsItOnce) {
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 4000;
  line_.blocks.clear();
  next_reading();
  EXPECT_EQ(reads_of(kEnergy), 2);
  EXPECT_EQ(value("active_energy_import"), "4000");
  EXPECT_EQ(flag("active_energy_import"), "fell");
  ASSERT_EQ(events("counter_fell").size(), 1u);
  const Json told = events("counter_fell")[0];
  EXPECT_EQ(text(told, "meter"), "m1");
  EXPECT_EQ(text(told, "point"), "active_energy_import");
  EXPECT_EQ(number(told, "from"), "5000");
  EXPECT_EQ(number(told, "to"), "4000");
  EXPECT_EQ(text(told, "how"), "fell");
  next_reading();
  EXPECT_EQ(flag("active_energy_import"), "");
  EXPECT_EQ(reads_of(kEnergy), 3);
  EXPECT_EQ(events("counter_fell").size(), 1u);
}

TEST_F(MeterMonitorTest, TellsNothingOfACounterThatHadFallenInOneReadOnly) {
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 0;
  line_.on_read = [this](const std::string&) {
    if (line_.blocks.back().address == kEnergy && reads_of(kEnergy) == 3) line_.registers[kLowWord] = 5001;
  };
  next_reading();
  EXPECT_EQ(value("active_energy_import"), "5001");
  EXPECT_EQ(flag("active_energy_import"), "");
  EXPECT_THAT(store_.events, IsEmpty());
}

TEST_F(MeterMonitorTest, SendsNoFallenCounterWhoseSecondReadFailed) {
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 0;
  line_.on_read = [this](const std::string&) {
    if (line_.blocks.back().address == kEnergy && reads_of(kEnergy) >= 3) line_.silent = {"1"};
  };
  next_reading();
  EXPECT_EQ(text(last(), "quality"), "partial");
  EXPECT_EQ(text(*last().find("errors")->find("active_energy_import"), "code"), "timeout");
  EXPECT_THAT(events("counter_fell"), IsEmpty());
}

TEST_F(MeterMonitorTest, CallsAFallToAboutZeroAReset) {
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 3;
  next_reading();
  EXPECT_EQ(flag("active_energy_import"), "reset");
  EXPECT_EQ(text(events("counter_fell").at(0), "how"), "reset");
}

TEST_F(MeterMonitorTest, FlagsNoCounterThatStartsAgainWhereItsProfileSaysSo) {
  start_all();
  run(seconds(5));
  line_.registers[kWrapping] = 20;
  next_reading();
  EXPECT_EQ(flag("water"), "");
  EXPECT_EQ(value("water"), "20");
  EXPECT_EQ(text(events("counter_fell").at(0), "how"), "wrapped");
  line_.registers[kWrapping] = 5;
  next_reading();
  EXPECT_EQ(flag("water"), "fell");
}

TEST_F(MeterMonitorTest, FlagsTheFallInTheNextReadingOfEveryPollThatHoldsThePoint) {
  add_poll(0, minutes(5), {"active_energy_import"}, "billing");
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 4000;
  run(minutes(6));
  int flagged = 0;
  for (const Json& reading : store_.readings) {
    if (reading.find("flags") == nullptr) continue;
    ++flagged;
    EXPECT_EQ(reading.find("flags")->find("active_energy_import")->items.at(0).text, "fell");
  }
  EXPECT_EQ(flagged, 2);
}

TEST_F(MeterMonitorTest, NoticesAfterARestartThatACounterFellWhileTheAgentWasOff) {
  start_all();
  run(minutes(1));
  line_.registers[kLowWord] = 4000;
  restart();
  run(seconds(2));
  EXPECT_EQ(flag("active_energy_import"), "fell");
  EXPECT_EQ(number(events("counter_fell").at(0), "from"), "5000");
}

TEST_F(MeterMonitorTest, NoticesAFallThatCameWithAChangedProfile) {
  start_all();
  run(minutes(1));
  line_.registers[kLowWord] = 4000;
  const_cast<Point*>(profile_.find("active_power"))->scale = Decimal(10);
  profile_.digest = "another";
  bus_.meters[0].spec.ct = "200/5";
  restart();
  run(seconds(2));
  EXPECT_EQ(number(events("counter_fell").at(0), "from"), "5000");
}

TEST_F(MeterMonitorTest, ComparesNoCounterAcrossAChangeOfItsOwnLine) {
  start_all();
  run(minutes(1));
  line_.registers[kLowWord] = 4000;
  const_cast<Point*>(profile_.find("active_energy_import"))->scale = Decimal(10);
  profile_.digest = "another";
  restart();
  run(seconds(2));
  EXPECT_THAT(events("counter_fell"), IsEmpty());
}

TEST_F(MeterMonitorTest, WritesCountersToTheStoreAtMostOnceInAQuarterOfAnHour) {
  start(seconds(10), {"active_energy_import"});
  for (int i = 0; i < 720; ++i) {
    ++line_.registers[kLowWord];
    run(seconds(10));
  }
  EXPECT_LE(values_.writes["meter.m1"], 10);
  EXPECT_GE(values_.writes["meter.m1"], 8);
  EXPECT_EQ(values_.writes["refused.m1"], 0);
}

TEST_F(MeterMonitorTest, SendsTheMetersOwnSerialNumberWithItsFirstReading) {
  start_all();
  run(seconds(2));
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(serial(), "111");
  EXPECT_EQ(worker_->state().meters[0].serial, "111");
  EXPECT_THAT(store_.events, IsEmpty());
}

TEST_F(MeterMonitorTest, ReadsTheSerialNumberAtStartAndDailyAndNotInBetween) {
  start_all(minutes(5));
  run(hours(23));
  EXPECT_EQ(reads_of(kSerial), 1);
  run(hours(2));
  EXPECT_EQ(reads_of(kSerial), 2);
}

TEST_F(MeterMonitorTest, TellsAnExchangedMeterBeforeItsFirstReadingAfterASilence) {
  start_all();
  run(minutes(1));
  line_.silent = {"1"};
  run(minutes(2));
  line_.silent.clear();
  line_.registers[kLowWord] = 9000;
  line_.registers[kSerial] = 222;
  next_reading();
  EXPECT_EQ(serial(), "222");
  ASSERT_EQ(events("meter_exchanged").size(), 1u);
  const Json told = events("meter_exchanged")[0];
  EXPECT_EQ(text(told, "meter"), "m1");
  EXPECT_EQ(text(told, "old"), "111");
  EXPECT_EQ(text(told, "new"), "222");
  EXPECT_EQ(number(*told.find("last"), "active_energy_import"), "5000");
  EXPECT_EQ(number(*told.find("first"), "active_energy_import"), "9000");
  EXPECT_THAT(events("counter_fell"), IsEmpty());
  EXPECT_EQ(flag("active_energy_import"), "");
}

TEST_F(MeterMonitorTest, TellsAnExchangedMeterWhoseCounterFellWithoutASilence) {
  start_all();
  run(seconds(5));
  line_.registers[kLowWord] = 7;
  line_.registers[kSerial] = 222;
  next_reading();
  EXPECT_EQ(serial(), "222");
  EXPECT_EQ(events("meter_exchanged").size(), 1u);
  EXPECT_THAT(events("counter_fell"), IsEmpty());
}

TEST_F(MeterMonitorTest, ReadsTheCountersOfAnExchangedMeterAlsoWhereThePollHasNone) {
  add_poll(0, hours(4), {"active_energy_import"}, "billing");
  start(seconds(10), {"active_power"});
  run(minutes(1));
  line_.silent = {"1"};
  run(minutes(2));
  line_.silent.clear();
  line_.registers[kLowWord] = 7;
  line_.registers[kSerial] = 222;
  next_reading();
  EXPECT_EQ(text(last(), "poll"), "main");
  const Json told = events("meter_exchanged").at(0);
  EXPECT_EQ(number(*told.find("last"), "active_energy_import"), "5000");
  ASSERT_NE(told.find("first")->find("active_energy_import"), nullptr);
  EXPECT_EQ(number(*told.find("first"), "active_energy_import"), "7");
}

TEST_F(MeterMonitorTest, TellsAMeterWhoseNumberIsNotThatOfItsFlag) {
  bus_.meters[0].spec.serial = "0999";
  start_all();
  run(minutes(5));
  ASSERT_EQ(events("meter_mismatch").size(), 1u);
  EXPECT_EQ(text(events("meter_mismatch")[0], "serial"), "111");
  EXPECT_EQ(text(events("meter_mismatch")[0], "expected"), "0999");
  EXPECT_EQ(serial(), "111");
}

TEST_F(MeterMonitorTest, TakesZerosBeforeANumberForNoDifference) {
  bus_.meters[0].spec.serial = "000111";
  start_all();
  run(minutes(5));
  EXPECT_THAT(store_.events, IsEmpty());
}

TEST_F(MeterMonitorTest, TellsAMeterThatIsKnownUnderAnotherId) {
  add_meter("m2", 2);
  bus_.meters[1].spec.serial = "111";
  start_all();
  run(minutes(5));
  ASSERT_EQ(events("meter_mismatch").size(), 1u);
  EXPECT_EQ(text(events("meter_mismatch")[0], "known_as"), "m2");
  EXPECT_EQ(events("meter_mismatch")[0].find("expected"), nullptr);
}

TEST_F(MeterMonitorTest, SendsTheFlagsNumberWhileTheMeterShowsNone) {
  bus_.meters[0].spec.serial = "S-7";
  line_.registers[kSerial] = 0;
  start_all();
  run(seconds(2));
  EXPECT_EQ(serial(), "S-7");
  EXPECT_THAT(store_.events, IsEmpty());
}

TEST_F(MeterMonitorTest, AsksEverMoreSeldomForANumberThatTheMeterDoesNotAnswer) {
  line_.on_read = [this](const std::string&) {
    line_.silent = line_.blocks.back().address == kSerial ? std::set<std::string>{"1"} : std::set<std::string>{};
  };
  start_all(minutes(1));
  run(hours(10));
  EXPECT_LE(reads_of(kSerial), 14);  // two tries each, after 10 s, 40 s, 160 s ...
  EXPECT_GE(reads_of(kSerial), 6);
  EXPECT_EQ(text(last(), "quality"), "good");
}

TEST_F(MeterMonitorTest, ForgetsWhatAnExchangedMeterRefused) {
  line_.refuse_block = [this](const Block& b) {
    return line_.registers[kSerial] == 111 && b.address <= kWrapping && kWrapping < b.address + b.count ? 2 : 0;
  };
  start_all();
  run(minutes(2));
  ASSERT_EQ(worker_->state().meters[0].unsupported.size(), 1u);
  line_.registers[kSerial] = 222;
  restart();
  run(minutes(1));
  EXPECT_THAT(worker_->state().meters[0].unsupported, IsEmpty());
  EXPECT_EQ(text(last(), "quality"), "good");
}

class RiseTest : public MeterMonitorTest {
 protected:
  RiseTest() {
    for (Point& point : profile_.points) {
      if (point.name == "active_energy_import") point.max_rise = Decimal(3600);  // 60 a minute
    }
    start_all();
    run(seconds(5));
  }
  void show(int value) {
    line_.registers[kLowWord] = static_cast<std::uint16_t>(value);
    next_reading();
  }
};

TEST_F(RiseTest, FlagsACounterThatRisesMoreThanItCanAndComparesNothingWithIt) {
  show(50'000);
  EXPECT_EQ(value("active_energy_import"), "50000");
  EXPECT_EQ(flag("active_energy_import"), "implausible");
  show(50'000);
  EXPECT_EQ(flag("active_energy_import"), "implausible");
  show(5001);
  EXPECT_EQ(flag("active_energy_import"), "");
  EXPECT_THAT(events("counter_fell"), IsEmpty());
}

TEST_F(RiseTest, AllowsWhatIsPossibleInTheTimeSinceTheLastRiseAndInAMinuteAtLeast) {
  show(5060);
  EXPECT_EQ(flag("active_energy_import"), "");
  show(5121);
  EXPECT_EQ(flag("active_energy_import"), "implausible");
  run(minutes(5));
  show(5360);
  EXPECT_EQ(flag("active_energy_import"), "");
}

TEST_F(RiseTest, TakesAHigherCounterInTheEndWhenItStaysThere) {
  show(5600);
  EXPECT_EQ(flag("active_energy_import"), "implausible");
  run(minutes(11));
  show(5600);
  EXPECT_EQ(flag("active_energy_import"), "");
}

TEST_F(MeterMonitorTest, MultipliesWhatACounterCanRiseByTheMetersRatio) {
  for (Point& point : profile_.points) {
    if (point.name != "active_energy_import") continue;
    point.ratio = Ratio::kCt;
    point.max_rise = Decimal(1800);  // 30 a minute, behind the transformer 60
  }
  bus_.meters[0].ratios.ct = Decimal(2);
  start_all();
  run(seconds(5));
  const auto show = [this](std::uint16_t secondary) {
    line_.registers[kLowWord] = secondary;
    next_reading();
  };
  show(5029);
  EXPECT_EQ(value("active_energy_import"), "10058");
  EXPECT_EQ(flag("active_energy_import"), "");
  show(5061);
  EXPECT_EQ(flag("active_energy_import"), "implausible");
}

TEST_F(RiseTest, AllowsAfterARestartWhatIsPossibleInTheTimeWithoutTheAgent) {
  run(minutes(30));
  show(5010);
  run(minutes(1));
  clock_.advance(hours(10));
  line_.registers[kLowWord] = 30'000;
  restart();
  next_reading();
  EXPECT_EQ(flag("active_energy_import"), "");
}

TEST_F(RiseTest, FlagsAJumpAlsoWhileTheAgentWasOff) {
  run(minutes(1));
  line_.registers[kLowWord] = 60'000;
  restart();
  next_reading();
  EXPECT_EQ(flag("active_energy_import"), "implausible");
}

TEST_F(RiseTest, JudgesNoRiseAcrossARestartWithoutATrustedClock) {
  run(minutes(1));
  clock_.set_synced(false);
  line_.registers[kLowWord] = 60'000;
  restart();
  next_reading();
  EXPECT_EQ(flag("active_energy_import"), "");
}

/// A meter that shows its ratio and no serial number.
class RatioTest : public OneMeterTest {
 protected:
  RatioTest() : OneMeterTest("active_power = holding 10 u16\nct_ratio = holding 500 u16 kind=state\n") {
    line_.registers = {{500, 40}};
  }
  std::ptrdiff_t reads_of_ratio() const {
    return std::count_if(line_.blocks.begin(), line_.blocks.end(), [](const Block& b) { return b.address == 500; });
  }
};

TEST_F(RatioTest, IsReadAtStartAndDaily) {
  start(seconds(10), {"active_power"});
  run(minutes(5));
  EXPECT_EQ(reads_of_ratio(), 1);
  run(hours(24));
  EXPECT_EQ(reads_of_ratio(), 2);
  EXPECT_THAT(events("ratio_changed"), IsEmpty());
}

TEST_F(RatioTest, ToldWhenItIsAnotherAfterASilence) {
  start(seconds(10), {"active_power"});
  run(seconds(5));
  line_.silent.insert("1");
  run(minutes(2));
  line_.silent.clear();
  line_.registers[500] = 20;
  run(minutes(10));
  ASSERT_EQ(events("ratio_changed").size(), 1u);
  const Json told = events("ratio_changed")[0];
  EXPECT_EQ(text(told, "point"), "ct_ratio");
  EXPECT_EQ(told.find("old")->text, "40");
  EXPECT_EQ(told.find("new")->text, "20");
}

TEST_F(RatioTest, ToldWhenItChangedTogetherWithAnotherLineOfTheProfile) {
  start(seconds(10), {"active_power"});
  run(minutes(20));
  line_.registers[500] = 20;
  const_cast<Point*>(profile_.find("active_power"))->scale = Decimal(10);
  profile_.digest = "another";
  restart();
  run(minutes(1));
  EXPECT_EQ(events("ratio_changed").size(), 1u);
}

/// A counter behind a current transformer, whose ratio stands in the flags, and one behind that of a register.
class ScaledCounterTest : public OneMeterTest {
 protected:
  ScaledCounterTest()
      : OneMeterTest(
            "active_energy_import = holding 100 u32 ratio=ct\nct_ratio = holding 500 u16 kind=state\n"
            "active_energy_export = holding 110 u32 times=ct_ratio\n") {
    line_.registers = {{100, 0}, {101, 5000}, {110, 0}, {111, 6000}, {500, 40}};
    bus_.meters[0].ratios.ct = Decimal(40);
    bus_.meters[0].spec.ct = "200/5";
  }
  void restart_with_less() {
    line_.registers[101] = 4000;
    line_.registers[111] = 5000;
    restart();
    run(seconds(2));
  }
};

TEST_F(ScaledCounterTest, IsComparedWhileTheRatioStays) {
  start(seconds(10), {"active_energy_import", "active_energy_export"});
  run(minutes(1));
  restart_with_less();
  EXPECT_EQ(events("counter_fell").size(), 2u);
}

TEST_F(ScaledCounterTest, IsNotComparedAcrossAnotherRatioOrAnotherPlaceOfIt) {
  start(seconds(10), {"active_energy_import", "active_energy_export"});
  run(minutes(1));
  bus_.meters[0].spec.ct = "100/5";
  bus_.meters[0].ratios.ct = Decimal(20);
  const_cast<Point*>(profile_.find("ct_ratio"))->scale = Decimal(2);
  restart_with_less();
  EXPECT_THAT(events("counter_fell"), IsEmpty());
}

TEST_F(RatioTest, ToldWhenItChangedWhileTheAgentWasOff) {
  start(seconds(10), {"active_power"});
  run(minutes(20));
  line_.registers[500] = 20;
  restart();
  run(minutes(1));
  EXPECT_EQ(events("ratio_changed").size(), 1u);
}

}  // namespace
}  // namespace metergate
