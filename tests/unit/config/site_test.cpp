#include "agent/config/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const char* const kProfile = R"([profile]
format = 1
name = Test meter
maker = Test
model = One
max_registers = 50
pause = 30ms

[points]
active_energy_import = holding 0 u32 unit=kWh obis=1-0:1.8.0 kind=counter
active_power = holding 10 i32 unit=W obis=1-0:16.7.0
frequency = holding 20 u16 scale=0.01 unit=Hz obis=1-0:14.7.0
)";
const char* const kWritable = "relay = holding 30 u16 write=register allow=0|1\n";
const char* const kSecondary =
    "voltage_l1 = holding 40 u16 unit=V obis=1-0:32.7.0 ratio=pt\ncurrent_l1 = holding 41 u16 unit=A obis=1-0:31.7.0 "
    "ratio=ct\n";

class SiteTest : public testing::Test {
 protected:
  SiteTest() : folder_(testing::TempDir() + "site_test." + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    profile("p", kProfile);
    profile("w", std::string(kProfile) + kWritable);
    profile("s", std::string(kProfile) + kSecondary);
    profile("none", "[profile]\nformat = 1\nname = n\nmaker = m\nmodel = o\n");
  }
  ~SiteTest() override { std::filesystem::remove_all(folder_); }

  void profile(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name + ".ini") << text;
  }

  /// What the agent makes of these words, `FOLDER` being that of the test's profiles.
  std::variant<metergate::Site, UsageError> make(std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"run", "--upstream", "stdout:", "--profile-dir", folder_, "--bus",
                  "name=a,device=/dev/a,baud=9600,mode=8E1,retries=2,gap=5ms", "--bus", "name=t,tcp=h:502"});
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) return *error;
    return make_site(std::get<Invocation>(parsed).options);
  }
  metergate::Site good(const std::vector<std::string>& words) {
    auto made = make(words);
    if (auto* error = std::get_if<UsageError>(&made)) {
      ADD_FAILURE() << error->message;
      return metergate::Site{};
    }
    return std::get<metergate::Site>(std::move(made));
  }
  std::string fault(const std::vector<std::string>& words, int status = 64) {
    auto made = make(words);
    if (auto* error = std::get_if<UsageError>(&made)) {
      EXPECT_EQ(error->status, status);
      return error->message;
    }
    return "";
  }
  static std::vector<std::string> names(const PollConfig& poll) {
    std::vector<std::string> all;
    for (const Point* point : poll.points) all.push_back(point->name);
    return all;
  }

  std::string folder_;
};

TEST_F(SiteTest, PutsMetersAndPollsOntoTheirBusInTheOrderOfTheFlags) {
  const auto site = good({"--meter", "id=m1,bus=t,unit=1,profile=p", "--meter",
                          "id=m2,bus=a,unit=1,profile=p,every=10s", "--meter", "id=m3,bus=a,unit=2,profile=p,every=1s",
                          "--poll", "meter=m3,every=15m,keep=low", "--poll", "meter=m2,every=0s"});
  ASSERT_EQ(site.buses.size(), 2u);
  const BusConfig& bus = site.buses[0];
  ASSERT_EQ(bus.meters.size(), 2u);
  EXPECT_EQ(bus.meters[0].spec.id, "m2");
  EXPECT_EQ(bus.meters[1].spec.id, "m3");
  std::vector<std::string> polls;
  for (const PollConfig& poll : bus.polls) polls.push_back(bus.meters[poll.meter].spec.id + " " + poll.name);
  EXPECT_THAT(polls, ElementsAre("m2 main", "m2 0s", "m3 main", "m3 15m"));
  EXPECT_EQ(bus.polls[3].every, Millis{900'000});
  EXPECT_FALSE(bus.polls[3].keep_high);
  EXPECT_THAT(site.buses[1].polls, IsEmpty()) << "m1 is read on command only";
  EXPECT_THAT(site.warnings, IsEmpty());
}

TEST_F(SiteTest, TakesTheSlowerAndSmallerOfFlagAndProfile) {
  const auto site = good({"--meter", "id=m1,bus=a,unit=17,profile=p", "--meter",
                          "id=m2,bus=a,unit=18,profile=p,gap=100ms,max-registers=20,retries=0,timeout=2s", "--meter",
                          "id=m3,bus=a,unit=19,profile=p,gap=1ms,max-registers=125"});
  const auto& meters = site.buses[0].meters;
  EXPECT_EQ(meters[0].target.address, "17");
  EXPECT_EQ(meters[0].target.gap, Millis{30}) << "the profile's pause";
  EXPECT_EQ(meters[0].target.max_registers, 50);
  EXPECT_EQ(meters[0].cost.max_registers, 50);
  EXPECT_EQ(meters[0].retries, 2) << "the bus's";
  EXPECT_EQ(meters[0].target.timeout, std::nullopt);
  EXPECT_EQ(meters[0].profile->name, "p");
  EXPECT_EQ(meters[1].target.gap, Millis{100});
  EXPECT_EQ(meters[1].target.max_registers, 20);
  EXPECT_EQ(meters[1].retries, 0);
  EXPECT_EQ(meters[1].target.timeout, Millis{2000});
  EXPECT_EQ(meters[2].target.gap, Millis{30});
  EXPECT_EQ(meters[2].target.max_registers, 50);
}

TEST_F(SiteTest, WeighsARequestByTheTimeThatItTakesOnTheWire) {
  const auto site = good({"--meter", "id=m1,bus=a,unit=1,profile=p", "--meter", "id=m2,bus=t,unit=1,profile=p"});
  // 9600 8E1: 1.146 ms a character; 13 of them, 20 ms turnaround, 30 ms pause, 3.5 characters, over two characters.
  EXPECT_NEAR(site.buses[0].meters[0].cost.request_registers, 30.07, 0.01);
  EXPECT_EQ(site.buses[1].meters[0].cost.request_registers, 50) << "a register costs nothing on a socket";
}

TEST_F(SiteTest, TakesTheModeOfAMeterThatDiffersFromItsLine) {
  const auto site =
      good({"--meter", "id=m1,bus=a,unit=1,profile=p,baud=2400", "--meter", "id=m2,bus=a,unit=2,profile=p,mode=8N2",
            "--meter", "id=m3,bus=a,unit=3,profile=p,baud=9600,mode=8E1", "--meter", "id=m4,bus=a,unit=4,profile=p"});
  const auto& meters = site.buses[0].meters;
  EXPECT_EQ(meters[0].target.line, (LineMode{2400, 'E', 1}));
  EXPECT_EQ(meters[1].target.line, (LineMode{9600, 'N', 2}));
  EXPECT_EQ(meters[2].target.line, std::nullopt) << "the line's own";
  EXPECT_EQ(meters[3].target.line, std::nullopt);
  EXPECT_LT(meters[0].cost.request_registers, meters[3].cost.request_registers) << "registers take longer";
}

TEST_F(SiteTest, SelectsPointsByPatternInTheOrderOfTheProfileEachOnce) {
  const auto site = good({"--meter", "id=m,bus=a,unit=1,profile=p,every=1s,points=frequency+active_*+*_power", "--poll",
                          "meter=m,every=1m"});
  EXPECT_THAT(names(site.buses[0].polls[0]), ElementsAre("active_energy_import", "active_power", "frequency"));
  EXPECT_THAT(names(site.buses[0].polls[1]), ElementsAre("active_energy_import", "active_power", "frequency"));
}

TEST_F(SiteTest, StaysGoodWhenMoved) {
  auto first = good({"--meter", "id=m,bus=a,unit=1,profile=p,every=1s"});
  const auto moved = std::move(first);
  EXPECT_EQ(moved.buses[0].meters[0].profile, moved.profiles.find("p"));
  EXPECT_EQ(moved.buses[0].polls[0].points[0], &moved.profiles.find("p")->points[0]);
}

TEST_F(SiteTest, TakesRatiosAndTellsWhatIsMissingOrUseless) {
  const auto site = good({"--meter", "id=m,bus=a,unit=1,profile=s,ct=200/5,pt=10000/100"});
  EXPECT_EQ(site.buses[0].meters[0].ratios.ct, Decimal(40));
  EXPECT_EQ(site.buses[0].meters[0].ratios.pt, Decimal(100));
  EXPECT_THAT(site.warnings, IsEmpty());
  EXPECT_THAT(good({"--meter", "id=m,bus=a,unit=1,profile=s,ct=200/5"}).warnings,
              ElementsAre("meter 'm': profile 's' needs pt=; points without it fail as no_ratio"));
  EXPECT_THAT(good({"--meter", "id=m,bus=a,unit=1,profile=p,ct=200/5"}).warnings,
              ElementsAre("meter 'm': ct= changes nothing: profile 'p' gives primary values"));
}

TEST_F(SiteTest, LetsTcpHaveUnitsThatASerialLineHasNot) {
  EXPECT_EQ(good({"--meter", "id=m,bus=t,unit=255,profile=p", "--meter", "id=n,bus=t,unit=0,profile=p"})
                .buses[1]
                .meters.size(),
            2u);
  for (const char* unit : {"0", "248"}) {
    EXPECT_THAT(
        fault({"--meter", "id=m,bus=a,unit=" + std::string(unit) + ",profile=p"}),
        HasSubstr("unit: '" + std::string(unit) + "' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp="));
  }
  EXPECT_THAT(fault({"--bus", "name=r,rtu-over-tcp=h:1", "--meter", "id=m,bus=r,unit=0,profile=p"}),
              HasSubstr("unit: '0' is not a unit"));
}

struct Case {
  std::vector<std::string> words;
  const char* fault;
};

TEST_F(SiteTest, RefusesWhatDoesNotFitTogether) {
  for (
      const Case& c : {
          Case{{"--meter", "id=m,bus=b,unit=1,profile=p"},
               "--meter 'id=m,bus=b,unit=1,profile=p': meter 'm' is on bus 'b', which no --bus defines"},
          {{"--bus", "name=rs485-1,tcp=x:1", "--meter", "id=m,bus=rs485-2,unit=1,profile=p"},
           "--meter 'id=m,bus=rs485-2,unit=1,profile=p': meter 'm' is on bus 'rs485-2', which no --bus defines (did "
           "you "
           "mean 'rs485-1'?)"},
          {{"--meter", "id=m,bus=a,unit=1,profile=nonee"},
           "--meter 'id=m,bus=a,unit=1,profile=nonee': there is no profile 'nonee' (did you mean 'none'?); 'metergate "
           "profiles' lists them"},
          {{"--meter", "id=m,bus=a,unit=1,profile=p,points=active_powr"},
           "--meter 'id=m,bus=a,unit=1,profile=p,points=active_powr': points: profile 'p' has no point 'active_powr' "
           "(did "
           "you mean 'active_power'?); 'metergate profiles p' shows them"},
          {{"--meter", "id=m,bus=a,unit=1,profile=p,every=1s", "--poll", "meter=m,every=1m,points=voltage_*"},
           "--poll 'meter=m,every=1m,points=voltage_*': points: profile 'p' has no point 'voltage_*'; 'metergate "
           "profiles "
           "p' shows them"},
          {{"--meter", "id=main,bus=a,unit=1,profile=p", "--poll", "meter=mian,every=1m"},
           "--poll 'meter=mian,every=1m': there is no meter 'mian' (did you mean 'main'?)"},
          {{"--meter", "id=m,bus=a,unit=1,profile=p,writable=yes"},
           "--meter 'id=m,bus=a,unit=1,profile=p,writable=yes': writable=yes, but profile 'p' has no point that can be "
           "written"},
          {{"--meter", "id=m,bus=a,unit=1,profile=none,every=1s"},
           "--meter 'id=m,bus=a,unit=1,profile=none,every=1s': profile 'none' has no points to poll; leave every= out"},
          {{"--meter", "id=m,bus=t,unit=1,profile=p,baud=9600"},
           "--meter 'id=m,bus=t,unit=1,profile=p,baud=9600': baud has no meaning over TCP: bus 't' is no serial line "
           "of "
           "this machine"},
          {{"--meter", "id=m,bus=a,unit=1,profile=p,max-registers=1"},
           "--meter 'id=m,bus=a,unit=1,profile=p,max-registers=1': max-registers: '1' is less than the 2 registers of "
           "'active_energy_import', which one request has to read"},
          {{"--meter", "id=m,bus=a,unit=1,profile=p", "--meter", "id=n,bus=a,unit=1,profile=p"},
           "--meter 'id=n,bus=a,unit=1,profile=p': meters 'm' and 'n' are both unit 1 on bus 'a' with profile 'p'; a "
           "further schedule of a meter is a --poll (--meter 'id=m,bus=a,unit=1,profile=p')"},
          {{"--bus", "name=b,device=/dev/a,baud=9600,mode=8E1"},
           "--bus 'name=b,device=/dev/a,baud=9600,mode=8E1': bus 'b' and bus 'a' (--bus "
           "'name=a,device=/dev/a,baud=9600,mode=8E1,retries=2,gap=5ms') both use /dev/a; a line has one bus, with all "
           "its "
           "meters on it"},
      }) {
    EXPECT_EQ(fault(c.words), c.fault);
  }
  EXPECT_THAT(fault({"--bus", "name=b,rtu-over-tcp=h:502"}), HasSubstr("both use h:502"));
  EXPECT_THAT(fault({"--meter", "id=m,bus=a,unit=1,profile=s,ct=x"}), HasSubstr("ct: 'x'"));
}

TEST_F(SiteTest, GivesAMeterOfDataItemsItsWholeAddress) {
  const Site site = good({"--meter", "id=m,bus=a,address=161,profile=dlt645_1p,utc-offset=+08:00,baud=2400"});
  const MeterConfig& meter = site.buses[0].meters[0];
  EXPECT_EQ(meter.spec.address, "000000000161");
  EXPECT_EQ(meter.target.address, "000000000161");
  EXPECT_EQ(meter.target.family, Family::kDlt645);
  EXPECT_EQ(meter.target.utc_offset, std::chrono::hours(8));
  EXPECT_EQ(meter.target.line->baud, 2400);
  EXPECT_FALSE(meter.target.password);
}

TEST_F(SiteTest, RefusesWhatDoesNotFitTheProtocolOfTheProfile) {
  const std::pair<const char*, const char*> cases[] = {
      {"id=m,bus=a,unit=1,profile=dlt645_1p", "speaks dlt645-2007, whose meters have address="},
      {"id=m,bus=a,address=1,profile=p", "profile 'p' is Modbus, its meters have unit="},
      {"id=m,bus=t,address=1,profile=dlt645_1p", "is Modbus TCP; dlt645-2007 needs device= or rtu-over-tcp="},
      {"id=m,bus=a,address=999999999999,profile=dlt645_1p", "is that of all meters"},
      {"id=m,bus=a,address=1234567890123,profile=dlt645_1p", "is not 1 to 12 digits"},
      {"id=m,bus=a,address=AA,profile=dlt645_1p", "is not 1 to 12 digits"},
      {"id=m,bus=a,address=1,unit=1,profile=dlt645_1p", "unit= and address= exclude each other"},
      {"id=m,bus=a,address=1,profile=dlt645_1p,max-registers=2", "max-registers has no meaning"},
      {"id=m,bus=a,address=1,profile=dlt645_1p,utc-offset=8", "utc-offset: '8' is not"},
      {"id=m,bus=a,address=1,profile=dlt645_1p,writable=yes", "needs password-file="},
      {"id=m,bus=a,unit=1,profile=w,writable=yes,password-file=/x", "password-file has no meaning for a Modbus meter"},
  };
  for (const auto& [spec, text] : cases) EXPECT_THAT(fault({"--meter", spec}), HasSubstr(text)) << spec;
  EXPECT_THAT(fault({"--meter", "id=m,bus=a,address=1,profile=dlt645_1p", "--meter",
                     "id=n,bus=a,address=000000000001,profile=dlt645_1p"}),
              HasSubstr("are both address 000000000001"));
}

TEST_F(SiteTest, TakesAPasswordThatNobodyElseMayRead) {
  const std::string file = folder_ + "/password";
  const std::string spec = "id=m,bus=a,address=1,profile=dlt645_1p,writable=yes,password-file=" + file;
  const auto write = [&](const std::string& text, int mode) {
    std::ofstream(file) << text;
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
  };
  write("2 123456 00000001\n", 0600);
  const Site site = good({"--meter", spec});
  const auto& password = site.buses[0].meters[0].target.password;
  ASSERT_TRUE(password);
  EXPECT_EQ(password->level, 2);
  EXPECT_EQ(password->digits, "123456");
  EXPECT_EQ(password->operator_code, "00000001");
  write("4 123456\n", 0600);
  EXPECT_THAT(fault({"--meter", spec}), HasSubstr("needs level 2 or a mightier"));
  write("2 12345\n", 0600);
  const std::string wrong = fault({"--meter", spec}, 78);
  EXPECT_THAT(wrong, HasSubstr("does not hold LEVEL PASSWORD [OPERATOR]"));
  EXPECT_EQ(wrong.find("12345'"), std::string::npos) << "no secret in an error";
  write("2 123456\n", 0644);
  EXPECT_THAT(fault({"--meter", spec}, 78), HasSubstr("chmod 600"));
}

TEST_F(SiteTest, TellsWhatMayBeAMistake) {
  EXPECT_THAT(good({"--meter", "id=m,bus=a,unit=1,profile=p", "--meter", "id=n,bus=a,unit=1,profile=w"}).warnings,
              ElementsAre("meters 'm' and 'n' are both unit 1 on bus 'a', with different profiles"));
  EXPECT_THAT(good({"--bus", "name=t2,tcp=h:502"}).warnings, ElementsAre("buses 't' and 't2' both connect to h:502"));
}

TEST_F(SiteTest, LetsAWritableProfileBeWritable) {
  EXPECT_TRUE(good({"--meter", "id=m,bus=a,unit=1,profile=w,writable=yes"}).buses[0].meters[0].spec.writable);
}

TEST_F(SiteTest, TellsThatWritesWaitWhereNobodySaysThatTheClockIsRight) {
  FakeClock clock;
  const Site writable = good({"--meter", "id=m,bus=a,unit=1,profile=w,writable=yes"});
  const Site read_only = good({"--meter", "id=m,bus=a,unit=1,profile=w"});
  EXPECT_EQ(clock_warning(writable, clock), std::nullopt);
  clock.set_synced(false);
  EXPECT_EQ(clock_warning(read_only, clock), std::nullopt);
  ASSERT_TRUE(clock_warning(writable, clock));
  EXPECT_THAT(*clock_warning(writable, clock), HasSubstr("writes wait up to 5 min"));
}

TEST_F(SiteTest, BlamesTheFileForWhatAFileSays) {
  std::ofstream(folder_ + "/meters.csv") << "id,bus,unit,profile\nm,b,1,p\n";
  EXPECT_EQ(fault({"--meters", folder_ + "/meters.csv"}, 78),
            folder_ + "/meters.csv:2: meter 'm' is on bus 'b', which no --bus defines");
}

TEST_F(SiteTest, RefusesProfilesWithErrors) {
  profile("bad", "[profile]\nformat = 1\nnonsense\n");
  EXPECT_THAT(fault({}, 78), HasSubstr("bad.ini:3"));
}

TEST_F(SiteTest, RefusesAFolderThatIsNotThere) {
  EXPECT_THAT(fault({"--profile-dir", "/nowhere"}, 78), HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace metergate
