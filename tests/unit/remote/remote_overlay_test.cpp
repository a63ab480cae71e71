#include "agent/config/remote_overlay.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "agent/config/site.h"
#include "agent/remote/remote_trials.h"

namespace metergate {
namespace {

using ::testing::HasSubstr;

class RemoteOverlayTest : public ::testing::Test {
 protected:
  RemoteOverlayTest() : folder_(::testing::TempDir() + "remote_overlay") {
    std::filesystem::remove_all(folder_);
    files_ = remote_files(folder_);
  }
  ~RemoteOverlayTest() override { std::filesystem::remove_all(folder_); }

  /// Puts it in force.
  void put(const RemoteText& text) {
    RemoteTrials trials(*files_);
    EXPECT_TRUE(trials.load());
    const auto version = trials.write(text);
    ASSERT_TRUE(version);
    RemoteTrial trial;
    trial.version = *version;
    EXPECT_TRUE(trials.begin(trial) && trials.start() && trials.ready() && trials.confirm());
  }
  std::variant<Invocation, UsageError> parse(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"check",
                                   "--gateway-id",
                                   "gw",
                                   "--upstream",
                                   "mqtt://localhost",
                                   "--bus",
                                   "name=local,tcp=127.0.0.1:502",
                                   "--batch",
                                   "9",
                                   "--remote",
                                   folder_};
    words.insert(words.end(), more.begin(), more.end());
    return parse_command_line(words, {});
  }
  Options options(std::vector<std::string> more = {}) const {
    const auto parsed = parse(std::move(more));
    if (const auto* wrong = std::get_if<UsageError>(&parsed)) {
      ADD_FAILURE() << wrong->message;
      return {};
    }
    return std::get_if<Invocation>(&parsed)->options;
  }
  std::string config(std::vector<std::string> more = {}) const {
    const auto site = make_site(options(std::move(more)));
    return std::get_if<Site>(&site) != nullptr ? std::get_if<Site>(&site)->config : "";
  }

  const std::string folder_;
  std::unique_ptr<RemoteFiles> files_;
};

TEST_F(RemoteOverlayTest, ReplacesAllThatLocalSourcesSayOfAnOptionThatItNames) {
  put({"bus = name=far,tcp=127.0.0.1:1502\n", {}});
  const Options both = options();
  ASSERT_EQ(both.buses.size(), 1U);
  EXPECT_EQ(both.buses[0].name, "far");
  EXPECT_EQ(both.uplink.batch, 9) << "the text does not name it";
}

TEST_F(RemoteOverlayTest, GivesOneNumberToOneConfiguration) {
  const std::string local = config();
  EXPECT_EQ(local.size(), 8U);
  EXPECT_EQ(config(), local);
  EXPECT_NE(config({"--keep-sent", "7d"}), local);
  put({"batch = 3\n", {}});
  const std::string far = config();
  EXPECT_NE(far, local);
  put({"batch = 3\n", {{"profiles/x.ini", "[profile]\nformat = 1\nname = x\n[points]\na = holding 0 u16\n"}}});
  EXPECT_NE(config(), far);
  put({"batch = 3\n", {}});
  EXPECT_EQ(config(), far) << "in whatever folder it lies";
}

TEST_F(RemoteOverlayTest, TakesItsOwnProfilesAndTables) {
  put({"bus = name=far,tcp=127.0.0.1:1502\nmeters = tables/m.csv\n",
       {{"profiles/mine.ini", "[profile]\nformat = 1\nname = mine\n[points]\na = holding 0 u16\n"},
        {"tables/m.csv", "id,bus,unit,profile\nm1,far,1,mine\n"}}});
  const auto site = make_site(options());
  ASSERT_NE(std::get_if<Site>(&site), nullptr);
  ASSERT_EQ(std::get_if<Site>(&site)->buses[0].meters.size(), 1U);
}

TEST_F(RemoteOverlayTest, NamesThePlaceOfAFaultInTheText) {
  put({"batch = 3\nbus = name=far,tcp=127.0.0.1:1502,x=1\n", {}});
  const auto parsed = parse();
  const auto* wrong = std::get_if<UsageError>(&parsed);
  ASSERT_NE(wrong, nullptr);
  EXPECT_THAT(wrong->message, HasSubstr("text:2: bus: "));
  const RemoteProblem problem = remote_problem(wrong->message, folder_ + "/v1");
  EXPECT_EQ(problem.file, "text");
  EXPECT_EQ(problem.line, 2);
  EXPECT_EQ(problem.text, "x");
  EXPECT_THAT(parse({"--remote-candidate", "none"}), ::testing::VariantWith<Invocation>(::testing::_));
}

TEST_F(RemoteOverlayTest, RefusesWhatMayNotComeFromAfar) {
  const auto refusal = [](const std::string& text, bool all) {
    const Status names = check_remote_names({text, {}}, all);
    return names ? std::string() : names.error().detail;
  };
  for (const char* never : {"gateway-id = x", "store = /x", "control = /x", "http = 127.0.0.1:1", "remote = /x",
                            "remote-allow = all", "password-file = x", "key-file = x", "nonsense = x"}) {
    EXPECT_THAT(refusal(never, true), HasSubstr("text:1: ")) << never;
  }
  for (const char* uplink : {"upstream = mqtt://x", "username = x", "delivery = broker", "ca-file = ca.pem"}) {
    EXPECT_THAT(refusal(uplink, false), HasSubstr("--remote-allow all")) << uplink;
    EXPECT_EQ(refusal(uplink, true), "") << uplink;
  }
  EXPECT_EQ(refusal("bus = x\nmeter = y\nbatch = 2\nlog-level = debug\n", false), "");
}

TEST_F(RemoteOverlayTest, LetsNoPathLeaveTheFolder) {
  for (const char* path : {"/etc/passwd", "../x", "a/../../x", "", "a//b", ".hidden", "a/.b", "a b", "a\nb"}) {
    EXPECT_FALSE(check_remote_names({"batch = 1\n", {{path, "x"}}}, true)) << path;
  }
  EXPECT_FALSE(check_remote_names({"meters = /etc/passwd\n", {}}, true));
  EXPECT_FALSE(check_remote_names({"profile-dir = ..\n", {}}, true));
  EXPECT_TRUE(check_remote_names({"meters = tables/m.csv\n", {{"tables/m.csv", "id\n"}}}, false));
}

TEST_F(RemoteOverlayTest, ReadsNoMetersPasswordElsewhere) {
  const std::string meter = "meter = id=m,bus=far,address=1,profile=x,password-file=";
  for (const char* path : {"/etc/passwd", "../state"}) {
    put({"bus = name=far,tcp=127.0.0.1:1502\n" + meter + path + "\n", {}});
    const auto parsed = parse();
    const auto* wrong = std::get_if<UsageError>(&parsed);
    ASSERT_NE(wrong, nullptr) << path;
    EXPECT_THAT(wrong->message, HasSubstr("text:2: meter: password-file: '"));
  }
  put({"bus = name=far,tcp=127.0.0.1:1502\n" + meter + "secrets/m\n", {{"secrets/m", "02 123456"}}});
  EXPECT_THAT(options().meters.at(0).password_file, ::testing::StartsWith(folder_ + "/v"));
}

TEST_F(RemoteOverlayTest, IsWithoutAStateWhatIsLocal) { EXPECT_EQ(options().buses[0].name, "local"); }

}  // namespace
}  // namespace metergate
