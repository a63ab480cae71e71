#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <sstream>

#include "agent/cli/scan_plan.h"
#include "agent/cli/subcommands.h"
#include "agent/config/option_parsers.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/drivers/profile/register_dump.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Meters on a line of one speed: who is asked at another hears nothing. A register that a meter does not have is
/// exception 2.
class Site {
 public:
  std::map<std::string, RegisterDump> meters;
  std::map<std::string, Error> answers;  ///< of units that only ever fail
  int baud = 0;                          ///< 0: any
  Status opens;
  int asked = 0;
};

class SiteBus : public Bus {
 public:
  SiteBus(Site& site, const BusSettings& settings, const FakeClock& clock)
      : site_(site), settings_(settings), clock_(clock) {}

  Status open() override { return site_.opens; }
  void close() override {}
  bool is_open() const override { return true; }
  Result<Words> read(const Target& target, const Block& block) override {
    ++site_.asked;
    const auto* serial = std::get_if<SerialSettings>(&settings_.port);
    const bool heard = serial == nullptr || site_.baud == 0 || serial->baud == site_.baud;
    const auto failing = site_.answers.find(target.address);
    const auto meter = site_.meters.find(target.address);
    if (!heard || (failing == site_.answers.end() && meter == site_.meters.end())) {
      clock_.advance(settings_.timeout);
      return Error{Errc::kTimeout, "no answer"};
    }
    clock_.advance(Millis(20));
    if (failing != site_.answers.end()) return failing->second;
    Words words;
    for (int i = 0; i < block.count; ++i) {
      const auto found = meter->second.registers.find({block.table, static_cast<std::uint16_t>(block.address + i)});
      if (found == meter->second.registers.end()) return Error{Errc::kException, "no such register", 2};
      words.push_back(found->second);
    }
    return words;
  }
  WriteOutcome write(const Target& target, const Write&) override {
    ADD_FAILURE() << "wrote to unit " << target.address;
    return {};
  }
  BusCounters counters() const override { return {}; }

 private:
  Site& site_;
  const BusSettings settings_;
  const FakeClock& clock_;
};

class ScanTest : public testing::Test {
 protected:
  int scan(std::vector<std::string> words) {
    words.insert(words.begin(), {"scan", "--protocols", "modbus"});
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      err_ << error->message;
      return error->status;
    }
    const BusTools tools{
        clock_, [this](const BusSettings& settings) { return std::make_unique<SiteBus>(site_, settings, clock_); },
        [this](const std::string&) { return Result<std::string>(agent_); },
        [this] { return site_.asked > stop_after_; }};
    return run_scan(std::get<Invocation>(parsed), out_, err_, tools);
  }

  FakeClock clock_;
  Site site_;
  std::string agent_ = R"({"buses":[]})";
  int stop_after_ = INT_MAX;  // requests
  std::ostringstream out_, err_;
};

const char* const kLine = "name=line,device=/dev/null";

TEST_F(ScanTest, FindsAMeterOfUnknownUnitBaudAndModelAndSuggestsItsFlags) {
  site_.meters["7"] = register_dump("abb_b23");
  site_.baud = 19200;
  EXPECT_EQ(scan({"--bus", kLine}), 0);
  EXPECT_EQ(out_.str(),
            "unit 7 at 19200 8N1 (20ms): seems to be ABB B23/B24: voltage_l1 230.1 V, voltage_l2 230.2 V, frequency 50 "
            "Hz, power_factor -1\n"
            "  --bus name=line,device=/dev/null,baud=19200,mode=8N1\n"
            "  --meter id=unit-7,bus=line,unit=7,profile=abb_b23,every=10s,serial=1234567\n");
}

TEST_F(ScanTest, TakesAnExceptionForAMeter) {
  site_.meters["9"] = {};
  EXPECT_EQ(scan({"--bus", "name=x,rtu-over-tcp=h:502", "--units", "1-10"}), 0);
  EXPECT_EQ(out_.str(),
            "unit 9 at h:502 (RTU over TCP) (20ms): answers, but no profile fits; its registers can be read with "
            "metergate read --table\n  --bus name=x,rtu-over-tcp=h:502\n"
            "  --meter id=unit-9,bus=x,unit=9,profile=raw\n");
}

TEST_F(ScanTest, SaysThatAFewUnitsBehindAGatewayGiveExceptionsOnly) {
  site_.meters["9"] = {};
  site_.answers = {{"4", {Errc::kException, "", 4}}};
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1-10"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("unit 9 at h:502: answers, but only with exception 2; its registers can be tried "
                                    "with metergate read --table\n  --bus name=x,tcp=h:502\n"
                                    "  --meter id=unit-9,bus=x,unit=9,profile=raw\n"));
  EXPECT_THAT(out_.str(), HasSubstr("unit 4 at h:502: answers, but only with exception 4"));
}

TEST_F(ScanTest, TakesNoMetersFromAGatewayThatAnswersExceptionsForAbsentOnes) {
  for (const int exception : {2, 4}) {
    site_.asked = 0;
    for (int unit = 1; unit <= 247; ++unit) site_.answers[std::to_string(unit)] = {Errc::kException, "", exception};
    site_.answers.erase("7");
    site_.meters["7"] = register_dump("abb_b23");
    out_.str("");
    EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("unit=7,profile=abb_b23"));
    EXPECT_EQ(out_.str().find("--meter"), out_.str().rfind("--meter")) << "one meter";
    EXPECT_THAT(err_.str(),
                HasSubstr("246 units from 1 to 247 give nothing but exception " + std::to_string(exception)));
    EXPECT_LT(site_.asked, exception == 4 ? 400 : INT_MAX) << "an absent meter is asked once";
  }
}

TEST_F(ScanTest, TellsADeviceThatAnswersForEveryUnitAsOne) {
  for (int unit = 0; unit <= 255; ++unit) site_.meters[std::to_string(unit)] = register_dump("abb_b23");
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("unit=1,profile=abb_b23"));
  EXPECT_EQ(out_.str().find("--meter id"), out_.str().rfind("--meter id")) << "one meter";
  EXPECT_THAT(out_.str(), HasSubstr("the device does not look at the unit, and one --meter is enough"));
  EXPECT_LT(site_.asked, 300);
}

TEST_F(ScanTest, ListsAllMetersOfAFullGateway) {
  for (int unit = 1; unit <= 40; ++unit) site_.meters[std::to_string(unit)] = register_dump("abb_b23");
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502"}), 0);
  for (int unit = 1; unit <= 40; ++unit)
    EXPECT_THAT(out_.str(), HasSubstr("unit=" + std::to_string(unit) + ",profile=abb_b23"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("does not look")));
}

TEST_F(ScanTest, NamesNoBaudModeOrWiresForATcpEndpoint) {
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1-3"}), kUnreachable);
  for (const char* wire : {"baud", "mode", "swapped"}) EXPECT_THAT(err_.str(), Not(HasSubstr(wire)));
  EXPECT_THAT(err_.str(), HasSubstr("no unit answers on h:502\n  usual causes: a gateway whose line is silent"));
}

TEST_F(ScanTest, StopsWithWhatIsKnownWhenItIsInterrupted) {
  site_.meters["3"] = register_dump("abb_b23");
  stop_after_ = 20;
  EXPECT_EQ(scan({"--bus", kLine, "--bauds", "9600", "--modes", "8N1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("unit=3,profile=abb_b23"));
  EXPECT_THAT(err_.str(), HasSubstr("stopped before its end; 1 found until then"));
  EXPECT_LT(site_.asked, 80);
}

TEST_F(ScanTest, TakesTheExceptionsOfATcpGatewayForSilence) {
  site_.answers = {{"2", {Errc::kException, "", 10}}, {"3", {Errc::kException, "", 11}}};
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1-5"}), kUnreachable);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(scan({"--bus", "name=x,rtu-over-tcp=h:502", "--units", "1-5"}), 0);
}

TEST_F(ScanTest, TellsBeforehandHowLongItTakesAndThenHowFarItIs) {
  EXPECT_EQ(scan({"--bus", kLine}), kUnreachable);
  // 4 settings of 247 units that are waited for 300 ms each, and the requests' own time.
  EXPECT_THAT(err_.str(), StartsWith("scan of /dev/null: at most 5 min "));
  EXPECT_THAT(err_.str(), HasSubstr("\n9600 8N1, units 1 to 32\n  9600 8N1: asked unit 17, 0 found, 5 min "));
  EXPECT_THAT(err_.str(), HasSubstr("no unit answers on /dev/null\n  usual causes: another baud"));
  EXPECT_EQ(site_.asked, 4 * 247);
}

TEST_F(ScanTest, AsksNoUnitAgainThatWasFound) {
  site_.meters["3"] = {};
  EXPECT_EQ(scan({"--bus", kLine, "--units", "3", "--bauds", "9600"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("8E1")));
}

TEST_F(ScanTest, TellsAnAnswerThatIsNeverWhole) {
  site_.answers = {{"4", {Errc::kCrc, "wrong check sum"}}};
  EXPECT_EQ(scan({"--bus", kLine, "--units", "4", "--bauds", "9600", "--modes", "8E1"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("unit 4 at 9600 8E1: something answers, but damaged: wrong check sum\n"));
  EXPECT_THAT(err_.str(), HasSubstr("two meters with one unit"));
}

TEST_F(ScanTest, NamesThePauseThatFreesAPortOfTheAgent) {
  site_.opens = Error{Errc::kLocked, "another process has it"};
  agent_ = R"({"buses":[{"name":"a","port":"/dev/ttyS9"},{"name":"hall","port":"/dev/../dev/null"}]})";
  EXPECT_EQ(scan({"--bus", kLine}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("'metergate pause hall' frees it"));
  EXPECT_THAT(err_.str(), HasSubstr("bus line (/dev/null 9600 8N1): another process has it"));
}

TEST_F(ScanTest, NamesNoPauseForAPortThatIsNotTheAgents) {
  site_.opens = Error{Errc::kLocked, "another process has it"};
  agent_ = R"({"buses":[{"name":"a","port":"/dev/ttyS9"}]})";
  EXPECT_EQ(scan({"--bus", kLine}), kUnreachable);
  EXPECT_THAT(err_.str(), Not(HasSubstr("pause")));
}

TEST_F(ScanTest, EndsWhenThePortIsGone) {
  site_.answers = {{"2", {Errc::kBusDown, "unplugged"}}};
  EXPECT_EQ(scan({"--bus", kLine}), kUnreachable);
  EXPECT_EQ(site_.asked, 2);
}

TEST_F(ScanTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(scan({}), kWrongFlags);
  EXPECT_EQ(scan({"--bus", kLine, "--units", "0-3"}), kWrongFlags);
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--modes", "8N1"}), kWrongFlags);
  EXPECT_EQ(scan({"--bus", kLine, "extra"}), kWrongFlags);
  EXPECT_EQ(site_.asked, 0);
}

TEST_F(ScanTest, RecognisesEveryMeterThatHasAProfile) {
  const auto library = ProfileLibrary::load({});
  for (const std::string& name : library->names()) {
    if (name == "raw" || name == "sdm72d_m") continue;  // no voltage and no name by which to know it
    if (library->find(name)->family != Family::kModbus) continue;
    site_.meters = {{"1", register_dump(name)}};
    out_.str("");
    ASSERT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1"}), 0);
    const std::string found = out_.str();
    const bool best = found.find("profile=" + name + ",") != std::string::npos;
    const std::size_t others = found.find("as likely: ");
    const bool alike = others != std::string::npos && found.find(name, others) < found.find('\n', others);
    EXPECT_TRUE(best || alike) << name << " was taken for\n" << found;
  }
}

TEST_F(ScanTest, TakesAMeterThatSaysItsNameForNoOther) {
  RegisterDump b23 = register_dump("abb_b24");
  b23.registers[{Table::kHolding, 0x8961}] = 0x3320;
  site_.meters = {{"1", b23}};
  EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("seems to be ABB B23/B24"));
}

TEST_F(ScanTest, TakesNoNumbersForAMeterThatAreNoMainsValues) {
  const std::pair<int, std::uint16_t> absurd[] = {{70, 0x43FA}, {0, 0x43FA}, {0, 0}};  // 500 Hz; 500 V; hardly any V
  for (const auto& [address, word] : absurd) {
    RegisterDump sdm120 = register_dump("sdm120");
    sdm120.registers[{Table::kInput, static_cast<std::uint16_t>(address)}] = word;
    site_.meters = {{"1", sdm120}};
    out_.str("");
    EXPECT_EQ(scan({"--bus", "name=x,tcp=h:502", "--units", "1"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("no profile fits")) << address;
  }
}

std::vector<std::string> passes_of(const std::string& bus, const std::vector<int>& units, const std::vector<int>& bauds,
                                   const std::vector<std::string>& modes) {
  auto parsed = parse_command_line({"scan", "--bus", bus}, {});
  std::vector<std::string> lines;
  for (const ScanPass& pass : scan_passes(std::get<Invocation>(parsed).options.buses.back(), units, bauds, modes)) {
    lines.push_back(describe_setting(pass.settings) + ", " + describe_units(pass));
  }
  return lines;
}

TEST(ScanPlanTest, AsksTheLikelyUnitsAtEverySettingFirst) {
  EXPECT_THAT(passes_of(kLine, {1, 2, 32, 33, 40}, {}, {"8N1"}),
              ElementsAre("9600 8N1, units 1 to 32", "19200 8N1, units 1 to 32", "9600 8N1, units 33 to 40",
                          "19200 8N1, units 33 to 40"));
}

TEST(ScanPlanTest, BeginsWithTheSettingsOfTheBus) {
  EXPECT_THAT(passes_of("name=line,device=/dev/null,baud=2400,mode=8E1", {5}, {}, {}),
              ElementsAre("2400 8E1, unit 5", "2400 8N1, unit 5", "9600 8E1, unit 5", "9600 8N1, unit 5",
                          "19200 8E1, unit 5", "19200 8N1, unit 5"));
  EXPECT_THAT(passes_of("name=line,device=/dev/null,baud=2400,mode=8O1", {5}, {19200}, {"8E1"}),
              ElementsAre("19200 8E1, unit 5"));
}

TEST(ScanPlanTest, HasOneSettingWithoutASerialLine) {
  EXPECT_THAT(passes_of("name=x,tcp=h:502", {0, 1, 255}, {}, {}),
              ElementsAre("h:502, units 0 to 1", "h:502, unit 255"));
}

TEST(ScanPlanTest, ShowsTimesForPeople) {
  EXPECT_EQ(describe_time(Millis(1)), "1 s");
  EXPECT_EQ(describe_time(std::chrono::seconds(59)), "59 s");
  EXPECT_EQ(describe_time(std::chrono::seconds(120)), "2 min");
  EXPECT_EQ(describe_time(std::chrono::seconds(340)), "5 min 40 s");
}

TEST(ScanValuesTest, TakesUnitsAsNumbersAndRanges) {
  EXPECT_THAT(*parse_units("40, 1-3,2"), ElementsAre(1, 2, 3, 40));
  EXPECT_THAT(*parse_bauds("9600,19200,9600"), ElementsAre(9600, 19200));
  EXPECT_THAT(*parse_modes("8E1"), ElementsAre("8E1"));
  for (const char* wrong : {"", "a", "1-", "-3", "3-1", "1-2-3", "256", "1;2"}) {
    EXPECT_FALSE(parse_units(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_bauds("9601"));
  EXPECT_FALSE(parse_modes("8n1"));
}

}  // namespace
}  // namespace metergate
