#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/cli/subcommands.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const char* const kProfile = R"([profile]
format = 1
name = Test meter
maker = Test
model = One
hole = 0

[points]
active_power = holding 10 u16 unit=W obis=1-0:16.7.0
frequency = holding 20 u16 scale=0.01 unit=Hz obis=1-0:14.7.0
)";

class CheckTest : public testing::Test {
 protected:
  CheckTest() : folder_(testing::TempDir() + "check_test." + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    std::filesystem::create_directories(folder_ + "/profiles");
    std::ofstream(folder_ + "/profiles/p.ini") << kProfile;
  }
  ~CheckTest() override { std::filesystem::remove_all(folder_); }

  int run(std::vector<std::string> words) {
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      ADD_FAILURE() << error->message;
      return -1;
    }
    const auto& invocation = std::get<Invocation>(parsed);
    return invocation.subcommand == Invocation::Subcommand::kCheck
               ? run_check(invocation, out_, err_, no_agent_, clock_)
               : run_profiles(invocation, out_, err_);
  }
  int check(std::vector<std::string> more) {
    more.insert(more.begin(),
                {"check", "--gateway-id", "g", "--upstream", "mqtt://broker", "--profile-dir", folder_ + "/profiles",
                 "--store", folder_ + "/metergate.db", "--bus", "name=a,device=/dev/none,baud=9600,mode=8E1"});
    return run(more);
  }

  std::string folder_;
  const SendRequest no_agent_ = [](const std::string&) { return Error{Errc::kOffline, "nobody"}; };
  FakeClock clock_;
  std::ostringstream out_, err_;
};

TEST_F(CheckTest, ShowsBlocksTimesAndShares) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=1s", "--meter", "id=n,bus=a,unit=2,profile=p"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("upstream: mqtt://broker:1883 as metergate-g, topics metergate/g/...\n\n"
                                     "bus a: /dev/none 9600 8E1, 2 meters\n"
                                     "  meter m: unit 1, profile p\n"
                                     "    poll main every 1s: 2 points, 2 requests, "));
  EXPECT_THAT(out_.str(), HasSubstr("      holding 10  1  "));
  EXPECT_THAT(out_.str(), HasSubstr("  meter n: unit 2, profile p\n    read on command only\n"));
  EXPECT_THAT(out_.str(), HasSubstr("  its polls take 8.2 % of its time\n"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CheckTest, ShowsTheLineOfAMeterThatHasItsOwn) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=1s,baud=2400,mode=8N1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("  meter m: unit 1, 2400 8N1, profile p\n"));
}

TEST_F(CheckTest, TellsRecordsBytesOutageAndFlash) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=10s", "--store-max-size", "8MiB"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("8,640 records a day, "));
  EXPECT_THAT(out_.str(), testing::ContainsRegex("an outage of [0-9.]+ days fits into --store-max-size 8MiB\n"));
  EXPECT_THAT(out_.str(), HasSubstr(" a day are written to the store's medium (--commit-every 1s)\n"));
}

TEST_F(CheckTest, WarnsOfABusThatHasMuchToDo) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=100ms"}), 0);
  EXPECT_EQ(
      err_.str(),
      "warning: bus a needs 82 % of its time; it would fit with every=200ms for each poll that is now more frequent\n");
}

TEST_F(CheckTest, RefusesABusThatHasMoreToDoThanItCanAndNamesAnInterval) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=50ms"}), 78);
  EXPECT_EQ(err_.str(),
            "metergate: bus a needs 165 % of its time, so that some 61 % of the slots would be kept; it would fit with "
            "every=200ms for each poll that is now more "
            "frequent\n");
}

TEST_F(CheckTest, LetsBackToBackPollsUseTheRest) {
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,every=0s"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("poll main back to back: "));
  EXPECT_THAT(out_.str(), HasSubstr("its polls take 0.0 % of its time; those back to back use the rest, a round in "));
}

TEST_F(CheckTest, CreatesNothing) {
  EXPECT_EQ(check({}), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/metergate.db"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "the profiles";
}

TEST_F(CheckTest, TellsAStoreThatCannotBe) {
  EXPECT_EQ(check({"--store", folder_ + "/missing/metergate.db"}), 73);
  EXPECT_THAT(err_.str(), StartsWith("metergate: store " + folder_ + "/missing/metergate.db: "));
}

TEST_F(CheckTest, TellsAStoreOfSomethingElse) {
  std::filesystem::create_directories(folder_ + "/folder.db");
  EXPECT_NE(check({"--store", folder_ + "/folder.db"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("folder.db"));
}

TEST_F(CheckTest, TellsFilesThatCannotBeRead) {
  EXPECT_EQ(check({"--username", "u", "--password-file", "/nowhere"}), 78);
  EXPECT_THAT(err_.str(), HasSubstr("/nowhere"));
}

TEST_F(CheckTest, RefusesATokenFileThatCannotBeRead) {
  EXPECT_EQ(check({"--http", "0.0.0.0:9464", "--http-token-file", "/nowhere"}), 78);
  EXPECT_THAT(err_.str(), HasSubstr("--http-token-file"));
}

TEST_F(CheckTest, TellsFaultsAndWarningsOfTheSite) {
  EXPECT_EQ(check({"--meter", "id=m,bus=b,unit=1,profile=p"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("meter 'm' is on bus 'b', which no --bus defines"));
  err_.str("");
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=p,ct=5/5"}), 0);
  EXPECT_EQ(err_.str(), "warning: meter 'm': ct= changes nothing: profile 'p' gives primary values\n");
}

TEST_F(CheckTest, WarnsOnceOfAProfileWithTheNumbersOfAManual) {
  std::ofstream(folder_ + "/profiles/q.ini") << "[profile]\nformat = 1\nname = Q\nmaker = T\nmodel = Q\n[points]\n"
                                                "frequency = holding 40021 u16 unit=Hz\n"
                                                "active_power = holding 40023 u16 unit=W\n";
  EXPECT_EQ(check({"--meter", "id=m,bus=a,unit=1,profile=q", "--meter", "id=n,bus=a,unit=2,profile=q"}), 0);
  EXPECT_EQ(err_.str(),
            "warning: profile 'q': frequency = holding 40021: addresses count from 0: the register that a manual calls "
            "40021 is holding 20; right is what 'metergate read --table' shows\n");
}

TEST_F(CheckTest, RefusesOneDeviceUnderTwoNames) {
  std::ofstream(folder_ + "/tty") << "";
  std::filesystem::create_symlink(folder_ + "/tty", folder_ + "/by-path");
  EXPECT_EQ(check({"--bus", "name=x,device=" + folder_ + "/tty,baud=9600,mode=8E1", "--bus",
                   "name=y,device=" + folder_ + "/by-path,baud=9600,mode=8E1"}),
            64);
  EXPECT_THAT(err_.str(), HasSubstr("both use " + folder_ + "/by-path (" + folder_ +
                                    "/tty is the same device); a line has one bus"));
}

TEST_F(CheckTest, ListsProfiles) {
  EXPECT_EQ(run({"profiles", "--profile-dir", folder_ + "/profiles"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("NAME"));
  EXPECT_THAT(out_.str(), testing::ContainsRegex("p +Test +One +2 +Test meter\n"));
}

TEST_F(CheckTest, PrintsAProfileExactlyAsItsFile) {
  EXPECT_EQ(run({"profiles", "p", "--profile-dir", folder_ + "/profiles"}), 0);
  EXPECT_EQ(out_.str(), kProfile);
}

TEST_F(CheckTest, RefusesAnUnknownProfile) {
  EXPECT_EQ(run({"profiles", "sdm63"}), 64);
  EXPECT_EQ(err_.str(),
            "metergate: there is no profile 'sdm63' (did you mean 'sdm630'?); 'metergate profiles' lists them\n");
}

}  // namespace
}  // namespace metergate
