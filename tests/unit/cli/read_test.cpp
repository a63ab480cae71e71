#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/cli/subcommands.h"
#include "tests/fakes/fake_bus.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const char* const kProfile = R"([profile]
format = 1
name = Test meter
maker = Test
model = One
hole = 0

[points]
active_power = holding 10 u16 unit=W obis=1-0:16.7.0 max=1000
frequency = holding 20 u16 scale=0.01 unit=Hz obis=1-0:14.7.0
firmware = holding 30 u16 na=0x1E
)";

class ReadTest : public testing::Test {
 protected:
  ReadTest() : folder_(testing::TempDir() + "read_test." + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/p.ini") << kProfile;
    clock_.step_utc(from_ms(1'795'341'630'000));
  }
  ~ReadTest() override { std::filesystem::remove_all(folder_); }

  int read(std::vector<std::string> words, std::ostream& out) {
    words.insert(words.begin(), {"read", "--profile-dir", folder_});
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      ADD_FAILURE() << error->message;
      return -1;
    }
    const BusTools tools{clock_,
                         [this](const BusSettings&) {
                           auto bus = std::make_unique<FakeBus>(clock_);
                           set_up(*bus);
                           return bus;
                         },
                         [this](const std::string& request) {
                           requests_.push_back(request);
                           return agent_ ? agent_(request) : Error{Errc::kOffline, "no agent runs"};
                         },
                         [this] { return clock_.mono() >= stop_at_; }};
    return run_read(std::get<Invocation>(parsed), out, err_, tools);
  }
  int read(const std::vector<std::string>& words) { return read(words, out_); }

  static std::vector<std::string> configured(std::vector<std::string> words) {
    words.insert(words.begin(), {"--bus", "name=a,device=/dev/ttyS1,baud=9600,mode=8E1", "--meter",
                                 "id=m1,bus=a,unit=1,profile=p,every=10s", "--meter",
                                 "id=m2,bus=a,unit=2,profile=p,points=active_power+frequency"});
    return words;
  }

  std::string folder_;
  FakeClock clock_;
  std::function<void(FakeBus&)> set_up = [](FakeBus&) {};
  std::function<Result<std::string>(const std::string& request)> agent_;  // none runs
  std::vector<std::string> requests_;
  MonoTime stop_at_ = MonoTime::max();
  std::ostringstream out_, err_;
};

TEST_F(ReadTest, ShowsAReadingAsATable) {
  EXPECT_EQ(read(configured({"m1"})), 0);
  EXPECT_EQ(out_.str(),
            "meter m1, unit 1 on /dev/ttyS1 9600 8E1, profile p, 2026-11-22T10:00:30.050Z, 150 ms\n"
            "POINT                 VALUE  UNIT  OBIS        REGISTERS\n"
            "active_power             10  W     1-0:16.7.0  holding 10: 000A\n"
            "frequency               0.2  Hz    1-0:14.7.0  holding 20: 0014\n"
            "firmware      not available                    holding 30: 001E\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ReadTest, ShowsTheLineOfAMeterThatHasItsOwn) {
  EXPECT_EQ(read({"--bus", "name=a,device=/dev/ttyS1,baud=9600,mode=8E1", "--meter",
                  "id=m1,bus=a,unit=1,profile=p,baud=2400", "m1"}),
            0);
  EXPECT_THAT(out_.str(), StartsWith("meter m1, unit 1 on /dev/ttyS1 2400 8E1, "));
}

TEST_F(ReadTest, ShowsAReadingAsOneJsonObject) {
  EXPECT_EQ(read(configured({"m1", "--json"})), 0);
  EXPECT_THAT(out_.str(), StartsWith("{\"at\":\"2026-11-22T10:00:30.050Z\",\"clock\":\"synced\",\"meter\":\"m1\""));
  EXPECT_THAT(out_.str(), HasSubstr(R"("quality":"good")"));
  EXPECT_THAT(out_.str(), HasSubstr(R"("values":{"active_power":10,"frequency":0.2,"firmware":null})"));
  EXPECT_THAT(
      out_.str(),
      EndsWith("\"took_ms\":150,\"registers\":{\"active_power\":[10],\"frequency\":[20],\"firmware\":[30]}}\n"));
}

TEST_F(ReadTest, ReadsThePointsOfTheMeterAlone) {
  EXPECT_EQ(read(configured({"m2"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("active_power"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("firmware")));
}

TEST_F(ReadTest, ReadsAUnitThatNoFlagDefines) {
  std::vector<std::string> asked;
  set_up = [&](FakeBus& bus) { bus.on_read = [&](const std::string& unit) { asked.push_back(unit); }; };
  EXPECT_EQ(read({"--bus", "name=x,tcp=h:502", "--unit", "7", "--profile", "p"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("meter unit-7, unit 7 on h:502, profile p, "));
  EXPECT_THAT(asked, ElementsAre("7", "7", "7"));
}

TEST_F(ReadTest, ReadsRawRegisters) {
  set_up = [](FakeBus& bus) { bus.registers[17] = 0xFFFE; };
  EXPECT_EQ(read({"--bus", "name=x,tcp=h:502", "--unit", "7", "--table", "holding", "--address", "16", "--count", "2"}),
            0);
  EXPECT_EQ(out_.str(),
            "meter unit-7, unit 7 on h:502, holding 16 to 17, 2026-11-22T10:00:30.050Z, 50 ms\n"
            "ADDRESS     HEX  UNSIGNED  SIGNED\n"
            "     16  0x0010        16      16\n"
            "     17  0xFFFE     65534      -2\n");
}

TEST_F(ReadTest, ReadsRawRegistersAsJson) {
  EXPECT_EQ(read(configured({"m1", "--table", "input", "--address", "5", "--count", "2", "--json"})), 0);
  EXPECT_EQ(
      out_.str(),
      R"({"at":"2026-11-22T10:00:30.050Z","clock":"synced","took_ms":50,"bus":"a","unit":1,"table":"input","address":5,)"
      "\"registers\":[5,6]}\n");
}

TEST_F(ReadTest, ReadsBits) {
  EXPECT_EQ(read(configured({"m1", "--table", "coil", "--address", "1"})), 0);
  EXPECT_THAT(out_.str(), EndsWith("coil 1, 2026-11-22T10:00:30.050Z, 50 ms\nADDRESS  VALUE\n      1      1\n"));
}

TEST_F(ReadTest, TellsPortUnitTimeoutAndCausesWhenTheMeterIsSilent) {
  std::vector<std::string> asked;
  set_up = [&](FakeBus& bus) {
    bus.silent = {"1"};
    bus.on_read = [&](const std::string& unit) { asked.push_back(unit); };
  };
  EXPECT_EQ(read(configured({"m1"})), 69);
  EXPECT_EQ(asked.size(), 2u) << "one request and its retry: the others would wait in vain";
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(),
              StartsWith("metergate: meter m1: no reading from unit 1 on /dev/ttyS1 9600 8E1 (timeout 1s, 2 tries): "
                         "unit 1 did not answer\n  usual cause: another unit, baud rate or mode in the meter;"));
}

TEST_F(ReadTest, TellsWhyAPortCannotBeOpened) {
  set_up = [](FakeBus& bus) { bus.unplugged = true; };
  EXPECT_EQ(read(configured({"m1"})), 69);
  EXPECT_THAT(
      err_.str(),
      StartsWith("metergate: bus a (/dev/ttyS1 9600 8E1): no such device\n  usual causes: another device name"));
}

TEST_F(ReadTest, ShowsAsJsonTooThatNothingCame) {
  set_up = [](FakeBus& bus) { bus.silent = {"1"}; };
  EXPECT_EQ(read(configured({"m1", "--json"})), 69);
  EXPECT_THAT(out_.str(), HasSubstr(R"("quality":"bad","values":{},"error":{"code":"timeout")"));
  out_.str("");
  EXPECT_EQ(read(configured({"m1", "--table", "input", "--address", "5", "--json"})), 69);
  EXPECT_THAT(out_.str(), HasSubstr(R"("error":{"code":"timeout","message":"unit 1 did not answer"}})"));
}

TEST_F(ReadTest, BlamesTheProfileWhenTheMeterRefusesEverything) {
  set_up = [](FakeBus& bus) { bus.refuse["1"] = 2; };
  EXPECT_EQ(read(configured({"m1"})), 69);
  EXPECT_THAT(err_.str(), HasSubstr("usual cause: a profile for another model or firmware"));
}

TEST_F(ReadTest, ShowsPointsThatFailBesideThoseThatDoNot) {
  int reads = 0;
  set_up = [&](FakeBus& bus) {
    bus.on_read = [&](const std::string& unit) {
      ++reads == 2 ? void(bus.refuse[unit] = 2) : void(bus.refuse.clear());
    };
  };
  EXPECT_EQ(read(configured({"m1"})), 0);
  EXPECT_THAT(out_.str(),
              HasSubstr("frequency                 -  Hz    1-0:14.7.0                    exception_2: refused\n"));
  EXPECT_THAT(out_.str(), HasSubstr("active_power             10  W"));
}

TEST_F(ReadTest, ShowsImplausibleValuesAsSuch) {
  set_up = [](FakeBus& bus) { bus.registers[10] = 2000; };
  EXPECT_EQ(read(configured({"m1"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("active_power           2000  W     1-0:16.7.0  holding 10: 07D0  implausible\n"));
}

/// Fails when it has got a number of lines.
class ShortPipe : public std::stringbuf {
 public:
  explicit ShortPipe(int lines) : lines_(lines) {}

 protected:
  int sync() override { return --lines_ <= 0 ? -1 : 0; }

 private:
  int lines_;
};

TEST_F(ReadTest, WatchesUntilNobodyReadsAnyMore) {
  ShortPipe pipe(3);
  std::ostream out(&pipe);
  const MonoTime began = clock_.mono();
  EXPECT_EQ(read(configured({"m1", "--json", "--watch", "5s"}), out), 0);
  EXPECT_EQ(clock_.mono() - began, std::chrono::seconds(10) + Millis{150});
  const std::string text = pipe.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(ReadTest, KeepsWatchingAMeterThatIsSilentForAWhile) {
  ShortPipe pipe(3);
  std::ostream out(&pipe);
  int reads = 0;
  set_up = [&](FakeBus& bus) {
    bus.on_read = [&](const std::string&) { ++reads <= 2 ? void(bus.silent = {"1"}) : bus.silent.clear(); };
  };
  EXPECT_EQ(read(configured({"m1", "--json", "--watch", "5s"}), out), 0);
  EXPECT_THAT(pipe.str(), HasSubstr(R"("quality":"bad")"));
  EXPECT_THAT(pipe.str(), HasSubstr(R"("quality":"good")"));
}

TEST_F(ReadTest, CountsTheErrorsOfEveryMeter) {
  int reads = 0;
  set_up = [&](FakeBus& bus) {
    bus.silent = {"2"};
    bus.on_read = [&](const std::string& unit) {
      if (unit != "1") return;
      bus.refuse.clear();
      if (++reads == 30) bus.refuse["1"] = 6;
    };
  };
  EXPECT_EQ(read(configured({"--all", "--count", "10"})), 69) << "m2 never answered";
  EXPECT_EQ(out_.str(),
            "METER  LABEL  BUS  UNIT  SERIAL  IMPORT  REQUESTS  ANSWERS  TIMEOUT  CRC  GARBLED  EXCEPTION  MIN MS  "
            "MEDIAN MS  MAX MS\n"
            "m1            a       1                        30       29        0    0        0          1    28.8  "
            "     28.8    28.8\n"
            "m2            a       2                        10        0       10    0        0          0       -  "
            "        -       -\n");
  EXPECT_EQ(
      err_.str(),
      "m1: the meter is busy: a longer pause (gap=)\n"
      "m2: other meters of the bus answer, so the line is right: another unit, baud rate or mode in this meter, A and "
      "B swapped at it, or no power\n");
}

TEST_F(ReadTest, CountsAsJsonToo) {
  EXPECT_EQ(read(configured({"--all", "--json"})), 0);
  EXPECT_THAT(
      out_.str(),
      StartsWith(R"({"meter":"m1","label":"","bus":"a","unit":1,"profile":"p","serial":"","active_energy_import":"",)"
                 R"("requests":3,"answers":3,"timeouts":0,"crc":0,"garbled":0,"exceptions":0,"bus_down":0,)"
                 R"("turnaround_ms":{"min":28.8,"median":28.8,"max":28.8},"failed":false,"hints":[]})"));
}

TEST_F(ReadTest, StopsWatchingWhenItIsInterrupted) {
  stop_at_ = clock_.mono() + std::chrono::seconds(25);
  EXPECT_EQ(read(configured({"m1", "--watch", "10s", "--json"})), 0);
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_LT(clock_.mono() - stop_at_, std::chrono::seconds(1));
}

TEST_F(ReadTest, ShowsWhatWasReadOfAllWhenItIsInterrupted) {
  stop_at_ = clock_.mono() + std::chrono::seconds(5);
  EXPECT_EQ(read(configured({"--all", "--count", "100000"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\nm2 "));
  EXPECT_THAT(err_.str(), HasSubstr("stopped: what was read until then is shown"));
}

TEST_F(ReadTest, GoesOnWithTheOtherBusesWhenOneIsGone) {
  int made = 0;
  set_up = [&](FakeBus& bus) { bus.unplugged = made++ == 0; };
  EXPECT_EQ(read(configured({"--bus", "name=t,tcp=h:502", "--meter", "id=m3,bus=t,unit=1,profile=p", "--all"})), 69);
  EXPECT_THAT(err_.str(), StartsWith("metergate: bus a (/dev/ttyS1 9600 8E1): no such device"));
  EXPECT_THAT(out_.str(), HasSubstr("m3            t       1                         3        3        0"));
}

TEST_F(ReadTest, ShowsSerialNumberAndImportCounterOfEachMeterForTheHandOver) {
  std::ofstream(folder_ + "/q.ini") << "[profile]\nformat = 1\nname = Q\nmaker = T\nmodel = Q\n[points]\n"
                                       "active_energy_import = holding 10 u32 scale=0.01 unit=kWh\n"
                                       "serial_number = holding 40 u32 kind=text\nfrequency = holding 20 u16 unit=Hz\n";
  EXPECT_EQ(read({"--bus", "name=t,tcp=h:502", "--meter",
                  "id=m3,bus=t,unit=1,profile=q,points=frequency,label=Main feed", "--all"}),
            0);
  EXPECT_THAT(out_.str(), HasSubstr("m3     Main feed  t       1  2621481  6553.71 kWh"));
}

TEST_F(ReadTest, AsksTheRunningAgentThatHasThePortTransactionByTransaction) {
  agent_ = [](const std::string& request) -> std::string {
    if (request.find("buses") != std::string::npos)
      return R"({"buses":[{"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 9600 8E1"}]})";
    return R"({"registers":[7],"took_us":21000})";
  };
  set_up = [](FakeBus&) { ADD_FAILURE() << "the port is the agent's"; };
  EXPECT_EQ(read(configured({"m1", "--json"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr(R"("values":{"active_power":7,"frequency":0.07,"firmware":7},"took_ms":63)"));
  ASSERT_EQ(requests_.size(), 4u);
  EXPECT_EQ(requests_[1], R"({"ask":"read","bus":"line","unit":1,"table":"holding","address":10,"count":1})");
}

TEST_F(ReadTest, TakesTheAgentsFailuresForItsOwn) {
  agent_ = [](const std::string& request) -> std::string {
    if (request.find("buses") != std::string::npos)
      return R"({"buses":[{"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 9600 8E1"}]})";
    return R"({"failure":{"code":"exception_2","message":"refused"},"took_us":1})";
  };
  EXPECT_EQ(read(configured({"m1"})), 69);
  EXPECT_THAT(err_.str(), HasSubstr("usual cause: a profile for another model"));
}

TEST_F(ReadTest, TakesNoValueFromAnAnswerThatHoldsOtherThanRegisters) {
  for (const char* answer : {"{}", R"({"registers":["x"]})", R"({"registers":[7,8]})", R"({"registers":[65536]})",
                             R"({"failure":7})", R"({"error":{"code":"busy","message":"16 requests wait"}})"}) {
    agent_ = [answer](const std::string& request) -> std::string {
      if (request.find("buses") != std::string::npos)
        return R"({"buses":[{"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 9600 8E1"}]})";
      return answer;
    };
    EXPECT_EQ(read(configured({"m1"})), 69) << answer;
    EXPECT_EQ(out_.str(), "") << answer;
  }
  EXPECT_THAT(err_.str(), HasSubstr("16 requests wait"));
}

TEST_F(ReadTest, SaysThatTheAgentIsBusyAndNamesNoCauseOnTheLine) {
  for (const char* where : {"buses", "read"}) {
    agent_ = [where](const std::string& request) -> std::string {
      if (request.find(where) != std::string::npos) return R"({"error":{"code":"busy","message":"ask again later"}})";
      return R"({"buses":[{"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 9600 8E1"}]})";
    };
    err_.str("");
    EXPECT_EQ(read(configured({"m1"})), 69) << where;
    EXPECT_THAT(err_.str(), HasSubstr("ask again later")) << where;
    EXPECT_THAT(err_.str(), Not(HasSubstr("usual cause"))) << where;
  }
}

TEST_F(ReadTest, UsesThePortItselfWhenTheAgentHasLentItOrHasAnother) {
  agent_ = [](const std::string&) -> std::string {
    return R"({"buses":[{"name":"o","key":"/dev/ttyS2","port":"p"},)"
           R"({"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 9600 8E1","paused_until":"t"}]})";
  };
  EXPECT_EQ(read(configured({"m1"})), 0);
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ReadTest, KnowsThePortOfTheAgentByAnotherName) {
  agent_ = [](const std::string& request) -> std::string {
    if (request.find("buses") != std::string::npos)
      return R"({"buses":[{"name":"line","key":"/dev/null","port":"/dev/null 9600 8E1"}]})";
    return R"({"registers":[7],"took_us":21000})";
  };
  set_up = [](FakeBus&) { ADD_FAILURE() << "the port is the agent's"; };
  EXPECT_EQ(read({"--bus", "name=a,device=/dev/../dev/null,baud=9600,mode=8E1", "--meter",
                  "id=m1,bus=a,unit=1,profile=p", "m1"}),
            0);
}

TEST_F(ReadTest, NamesThePauseWhenTheAgentHasThePortWithAnotherBaud) {
  agent_ = [](const std::string&) -> std::string {
    return R"({"buses":[{"name":"line","key":"/dev/ttyS1","port":"/dev/ttyS1 19200 8N1"}]})";
  };
  EXPECT_EQ(read(configured({"m1"})), 69);
  EXPECT_THAT(err_.str(), HasSubstr("has the port as /dev/ttyS1 19200 8N1"));
  EXPECT_THAT(err_.str(), HasSubstr("'metergate pause line' frees it"));
}

TEST_F(ReadTest, RefusesUnknownMetersUnitsAndProfiles) {
  EXPECT_EQ(read(configured({"m3"})), 64);
  EXPECT_EQ(err_.str(), "metergate: no --meter defines 'm3' (did you mean 'm1'?)\n");
  err_.str("");
  EXPECT_EQ(read({"--bus", "name=x,device=/d,baud=9600,mode=8E1", "--unit", "250", "--profile", "p"}), 64);
  EXPECT_EQ(err_.str(),
            "metergate: --unit 250: unit: '250' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp=\n");
  err_.str("");
  EXPECT_EQ(read({"--bus", "name=x,tcp=h:502", "--unit", "1", "--profile", "raw"}), 64);
  EXPECT_EQ(err_.str(),
            "metergate: profile 'raw' has no points; read registers with --table holding --address A --count C\n");
}

}  // namespace
}  // namespace metergate
