#include "agent/remote/remote_changer.h"

#include <gmock/gmock.h>

#include "tests/fakes/captured_log.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_remote_files.h"
#include "tests/fakes/recording_store.h"

namespace metergate {
namespace {

constexpr const char* kOld = "0a0a0a0a";
constexpr const char* kNew = "0b0b0b0b";

class RemoteChangerTest : public ::testing::Test {
 protected:
  RemoteChangerTest() { start(kOld); }

  /// A process that starts on the disk as it is.
  void start(const std::string& config) {
    changer_.reset();
    trials_ = std::make_unique<RemoteTrials>(files_);
    EXPECT_TRUE(trials_->load());
    EXPECT_TRUE(trials_->start());
    restarts_ = 0;
    RemoteChanger::Parts parts;
    parts.trials = trials_.get();
    parts.inbox = &store_;
    parts.outbox = &store_;
    parts.clock = &clock_;
    parts.log = &log_.log;
    parts.key = key_;
    parts.gateway = "gw";
    parts.config = trials_->on_trial() ? trials_->state().trial->to : config;
    parts.check = [this](const std::string&) -> Result<RemoteChanger::Check> {
      return RemoteChanger::Check([this](MonoTime) { return std::optional<Status>(check_); });
    };
    parts.config_of = [](const std::string&) -> Result<std::string> { return std::string(kNew); };
    parts.given = [] {};
    parts.ended = [] {};
    parts.restart = [this] { ++restarts_; };
    changer_ = std::make_unique<RemoteChanger>(std::move(parts));
    changer_->ready();
    for (const OpenCommand& command : open_) {
      if (store_.done.count(command.stored.key) == 0) changer_->give(command);
    }
    step();
  }
  void step() {
    changer_->step(clock_.mono());
    changer_->step(clock_.mono());
  }
  void send(const std::string& id, RemoteChange change, std::optional<SignedText> signed_text = {}) {
    OpenCommand command;
    command.command.signed_text = std::move(signed_text);
    command.command.id = id;
    command.command.op = Command::Op::kConfigure;
    command.command.change = std::move(change);
    command.stored.id = id;
    EXPECT_TRUE(store_.admit(command.stored, std::nullopt));
    command.stored.key = static_cast<std::int64_t>(store_.commands.size());
    open_.push_back(command);
    changer_->give(command);
    step();
  }
  static RemoteChange change(const std::string& base = kOld) {
    RemoteChange change;
    change.base = base;
    change.text.text = "batch = 7\n";
    change.within = std::chrono::minutes(10);
    return change;
  }
  std::string status(std::size_t result) const { return store_.results.at(result).find("status")->text; }
  std::string code(std::size_t result) const { return store_.results.at(result).find("error")->find("code")->text; }
  std::vector<std::string> events() const {
    std::vector<std::string> names;
    for (const Json& event : store_.events) names.push_back(event.find("event")->text);
    return names;
  }

  FakeClock clock_;
  CapturedLog log_{clock_};
  FakeRemoteFiles files_;
  RecordingStore store_;
  std::vector<OpenCommand> open_;
  Status check_;
  std::optional<VerifyKey> key_;
  int restarts_ = 0;
  std::unique_ptr<RemoteTrials> trials_;
  std::unique_ptr<RemoteChanger> changer_;
};

TEST_F(RemoteChangerTest, TriesWhatIsRightAndIsDoneWhenItIsConfirmed) {
  send("c-1", change());
  EXPECT_EQ(restarts_, 1);
  EXPECT_TRUE(store_.results.empty());
  EXPECT_THAT(events(), ::testing::ElementsAre("config_trial"));
  start(kOld);
  EXPECT_TRUE(store_.results.empty());
  EXPECT_TRUE(std::holds_alternative<std::string>(changer_->confirm(kNew, true)));
  ASSERT_EQ(store_.results.size(), 1U);
  EXPECT_EQ(status(0), "done");
  EXPECT_THAT(events(), ::testing::ElementsAre("config_trial", "config_confirmed"));
  start(kNew);
  EXPECT_EQ(store_.results.size(), 1U) << "one result";
}

TEST_F(RemoteChangerTest, GoesBackWhenNoConfirmComesInTime) {
  send("c-1", change());
  start(kOld);
  clock_.advance(std::chrono::minutes(10) - Millis{1});
  step();
  EXPECT_EQ(restarts_, 0);
  clock_.advance(Millis{1});
  step();
  EXPECT_EQ(restarts_, 1);
  start(kOld);
  ASSERT_EQ(store_.results.size(), 1U);
  EXPECT_EQ(status(0), "failed");
  EXPECT_EQ(code(0), "not_confirmed");
  EXPECT_THAT(events(), ::testing::ElementsAre("config_trial", "config_returned"));
}

TEST_F(RemoteChangerTest, CountsTheTimeOfATrialOverRestarts) {
  send("c-1", change());
  start(kOld);
  for (int i = 0; i < 80; ++i) {
    clock_.advance(Millis{5000});
    step();
  }
  start(kOld);
  clock_.advance(std::chrono::seconds(199));
  step();
  EXPECT_EQ(restarts_, 0);
  clock_.advance(Millis{1000});
  step();
  EXPECT_EQ(restarts_, 1);
}

TEST_F(RemoteChangerTest, TellsThatItCouldNotStart) {
  send("c-1", change());
  ASSERT_TRUE(trials_->load());
  ASSERT_TRUE(trials_->start());  // and never got ready
  start(kOld);
  ASSERT_EQ(store_.results.size(), 1U);
  EXPECT_EQ(code(0), "cannot_start");
}

TEST_F(RemoteChangerTest, RefusesAnotherBase) {
  send("c-1", change("0c0c0c0c"));
  EXPECT_EQ(status(0), "rejected");
  EXPECT_EQ(code(0), "config_changed");
  EXPECT_EQ(restarts_, 0);
}

TEST_F(RemoteChangerTest, RefusesWhatTheCheckRefusesAndNamesThePlace) {
  check_ = Error{Errc::kInvalid, "text:1: batch: '7x' is not a whole number"};
  send("c-1", change());
  EXPECT_EQ(code(0), "bad_config");
  const Json& problem = store_.results[0].find("problems")->items.at(0);
  EXPECT_EQ(problem.find("file")->text, "text");
  EXPECT_EQ(problem.find("line")->text, "1");
  EXPECT_EQ(problem.find("text")->text, "7x");
  EXPECT_EQ(restarts_, 0);
  EXPECT_FALSE(trials_->state().trial);
}

TEST_F(RemoteChangerTest, RefusesASecondOneDuringATrial) {
  send("c-1", change());
  start(kOld);
  send("c-2", change(kNew));
  EXPECT_EQ(code(0), "busy");
}

TEST_F(RemoteChangerTest, TakesNoConfirmThatCameBeforeTheTrial) {
  EXPECT_TRUE(std::holds_alternative<Failure>(changer_->confirm(kNew, true)));
  send("c-1", change());
  EXPECT_TRUE(std::holds_alternative<Failure>(changer_->confirm(kNew, true))) << "the old process still runs";
  start(kOld);
  EXPECT_TRUE(std::holds_alternative<Failure>(changer_->confirm(kNew, false))) << "it came to the old process";
  EXPECT_TRUE(std::holds_alternative<Failure>(changer_->confirm("0c0c0c0c", true)));
  EXPECT_TRUE(trials_->on_trial());
}

TEST_F(RemoteChangerTest, PutsPartsTogetherWithTheLast) {
  RemoteChange part = change();
  part.parts = 3;
  for (part.part = 1; part.part <= 2; ++part.part) {
    part.text.text = part.part == 1 ? "batch =" : " 7\n";
    part.text.files["profiles/a.ini"] = std::to_string(part.part);
    send("p-" + std::to_string(part.part), part);
    EXPECT_EQ(status(static_cast<std::size_t>(part.part) - 1), "done");
  }
  EXPECT_EQ(restarts_, 0);
  part.text.text = "max-inflight = 3\n";
  part.text.files["profiles/a.ini"] = "3";
  send("p-3", part);
  EXPECT_EQ(restarts_, 1);
  EXPECT_EQ(files_.files.at("v1/text"), "batch = 7\nmax-inflight = 3\n");
  EXPECT_EQ(files_.files.at("v1/files/profiles/a.ini"), "123");
}

TEST_F(RemoteChangerTest, RefusesALastPartWhoseOthersHaveNotCome) {
  RemoteChange part = change();
  part.parts = part.part = 2;
  send("p-2", part);
  EXPECT_EQ(code(0), "bad_command");
}

// RFC 8032, 7.1, TEST 2.
const std::string kPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
    "-----END PRIVATE KEY-----\n";
const std::string kPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
    "-----END PUBLIC KEY-----\n";

TEST_F(RemoteChangerTest, TakesSignedChangesOnlyWithAKey) {
  key_ = *VerifyKey::from_pem(kPublic);
  start(kOld);
  const UtcTime soon = clock_.utc() + std::chrono::hours(1);
  const SignedText good{"text", *sign(kPrivate, "text"), "gw", soon};
  SignedText other_text = good, other_gateway = good, late = good, far = good;
  other_text.text = "Text";
  other_gateway.gateway = "gw2";
  late.not_after = clock_.utc();
  far.not_after = clock_.utc() + std::chrono::hours(24 * 8);
  send("c-1", change());
  send("c-2", change(), other_text);
  send("c-3", change(), other_gateway);
  send("c-4", change(), late);
  send("c-5", change(), far);
  ASSERT_EQ(store_.results.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(code(i), "bad_signature") << i;
  clock_.set_synced(false);
  send("c-6", change(), good);
  EXPECT_EQ(code(5), "clock_unsynced");
  EXPECT_EQ(restarts_, 0);
  clock_.set_synced(true);
  send("c-7", change(), good);
  EXPECT_EQ(restarts_, 1);
}

TEST_F(RemoteChangerTest, RefusesWhatMayNotComeFromAfar) {
  RemoteChange much = change();
  much.text.text = "upstream = mqtt://elsewhere\n";
  send("c-1", much);
  EXPECT_EQ(code(0), "not_allowed");
}

}  // namespace
}  // namespace metergate
