#include "agent/remote/remote_trials.h"

#include <gmock/gmock.h>

#include <functional>
#include <random>

#include "tests/fakes/fake_remote_files.h"

namespace metergate {
namespace {

class RemoteTrialsTest : public ::testing::Test {
 protected:
  RemoteTrialsTest() { EXPECT_TRUE(trials_.load()); }

  static RemoteTrial trial(const std::string& version, const std::string& command) {
    RemoteTrial trial;
    trial.version = version;
    trial.command = command;
    trial.from = "00000001";
    trial.to = "00000002";
    trial.within = std::chrono::minutes(10);
    return trial;
  }
  static RemoteText text(const std::string& batch) { return {"batch = " + batch + "\n", {{"profiles/a.ini", batch}}}; }

  /// A configuration that is confirmed.
  void confirmed(const std::string& batch) {
    const auto version = trials_.write(text(batch));
    ASSERT_TRUE(version);
    ASSERT_TRUE(trials_.begin(trial(*version, "c-" + batch)));
    ASSERT_TRUE(trials_.start());
    ASSERT_TRUE(trials_.ready());
    ASSERT_TRUE(trials_.confirm());
  }
  /// What a process that starts now finds in force.
  std::string in_force() {
    RemoteTrials next(files_);
    EXPECT_TRUE(next.load());
    const std::string& version = next.state().in_force();
    return version.empty() ? "local" : files_.files.at(version + "/text");
  }

  FakeRemoteFiles files_;
  RemoteTrials trials_{files_};
};

TEST_F(RemoteTrialsTest, IsLocalAloneWithoutAState) { EXPECT_EQ(in_force(), "local"); }

TEST_F(RemoteTrialsTest, PutsAVersionInForceWithTheNextStartAndForGoodWhenItIsConfirmed) {
  const auto version = trials_.write(text("7"));
  ASSERT_TRUE(version);
  EXPECT_EQ(in_force(), "local");
  ASSERT_TRUE(trials_.begin(trial(*version, "c-1")));
  EXPECT_EQ(in_force(), "local") << "the process that runs reads its files once more";
  ASSERT_TRUE(trials_.start());
  EXPECT_EQ(in_force(), "batch = 7\n");
  ASSERT_TRUE(trials_.ready());
  ASSERT_TRUE(trials_.confirm());
  EXPECT_EQ(in_force(), "batch = 7\n");
  ASSERT_NE(trials_.outcome_of("c-1"), nullptr);
  EXPECT_EQ(trials_.outcome_of("c-1")->how, "confirmed");
}

TEST_F(RemoteTrialsTest, GoesBackToTheOneBefore) {
  confirmed("7");
  const auto version = trials_.write(text("8"));
  ASSERT_TRUE(trials_.begin(trial(*version, "c-8")));
  ASSERT_TRUE(trials_.start());
  ASSERT_TRUE(trials_.ready());
  ASSERT_TRUE(trials_.give_up("not_confirmed"));
  EXPECT_EQ(in_force(), "batch = 7\n");
  EXPECT_EQ(trials_.outcome_of("c-8")->how, "not_confirmed");
}

TEST_F(RemoteTrialsTest, EndsATrialWhoseStartDidNotGetReady) {
  const auto version = trials_.write(text("8"));
  ASSERT_TRUE(trials_.begin(trial(*version, "c-8")));
  ASSERT_TRUE(trials_.start());
  ASSERT_TRUE(trials_.start());
  EXPECT_EQ(in_force(), "local");
  EXPECT_EQ(trials_.outcome_of("c-8")->how, "cannot_start");
}

TEST_F(RemoteTrialsTest, EndsATrialThatCrashesAgainAndAgain) {
  const auto version = trials_.write(text("8"));
  ASSERT_TRUE(trials_.begin(trial(*version, "c-8")));
  for (int i = 0; i < RemoteTrials::kMostStarts; ++i) {
    ASSERT_TRUE(trials_.start());
    EXPECT_EQ(in_force(), "batch = 8\n");
    ASSERT_TRUE(trials_.ready());
  }
  ASSERT_TRUE(trials_.start());
  EXPECT_EQ(in_force(), "local");
}

TEST_F(RemoteTrialsTest, KeepsTheTimeOfATrialOverStarts) {
  const auto version = trials_.write(text("8"));
  ASSERT_TRUE(trials_.begin(trial(*version, "c-8")));
  ASSERT_TRUE(trials_.start());
  ASSERT_TRUE(trials_.ready());
  ASSERT_TRUE(trials_.spend(Millis{5000}));
  ASSERT_TRUE(trials_.spend(Millis{5000}));
  RemoteTrials next(files_);
  ASSERT_TRUE(next.load());
  EXPECT_EQ(next.state().trial->spent, Millis{10000});
}

TEST_F(RemoteTrialsTest, ChangesNothingWhereTheDiskIsFull) {
  confirmed("7");
  files_.full = true;
  EXPECT_FALSE(trials_.write(text("8")));
  EXPECT_FALSE(trials_.begin(trial("v2", "c-8")));
  EXPECT_FALSE(trials_.state().trial);
  EXPECT_EQ(in_force(), "batch = 7\n");
}

TEST_F(RemoteTrialsTest, KeepsOnlyVersionsThatAreReferredTo) {
  for (const char* batch : {"1", "2", "3", "4"}) confirmed(batch);
  trials_.clean();
  EXPECT_THAT(files_.list(), ::testing::ElementsAre("state", trials_.state().confirmed));
}

/// One process after the other works on one disk whose power is cut at each change in turn, before and behind it; the
/// next process goes on. However it ends, what is in force is the old text or the new one, whole, and the command has
/// one outcome that fits.
class RemoteTrialsPowerTest : public ::testing::TestWithParam<bool> {
 protected:
  using Step = std::function<Status(RemoteTrials&)>;

  /// What a process does that starts on the disk as it is; `confirms`: and gets its confirmation.
  static void live(RemoteTrials& trials, bool confirms) {
    ASSERT_TRUE(trials.load());
    ASSERT_TRUE(trials.start());
    const bool done = trials.outcome_of("c-8") != nullptr;
    if (!trials.state().trial && !done) {  // the command is open: it is begun, and the process starts again
      const auto version = trials.write({"batch = 8\n", {{"profiles/a.ini", "8"}, {"tables/m.csv", "8"}}});
      ASSERT_TRUE(version);
      RemoteTrial trial;
      trial.version = *version;
      trial.command = "c-8";
      trial.within = std::chrono::minutes(10);
      ASSERT_TRUE(trials.begin(trial));
      return live(trials, confirms);
    }
    if (!trials.on_trial()) return;
    ASSERT_TRUE(trials.ready());
    ASSERT_TRUE(trials.spend(Millis{5000}));
    ASSERT_TRUE(confirms ? trials.confirm() : trials.give_up("not_confirmed"));
    trials.clean();
  }

  static FakeRemoteFiles with_a_confirmed_one() {
    FakeRemoteFiles files;
    RemoteTrials trials(files);
    const auto version = trials.write({"batch = 7\n", {{"profiles/a.ini", "7"}}});
    RemoteTrial trial;
    trial.version = *version;
    trial.command = "c-7";
    EXPECT_TRUE(trials.begin(trial) && trials.start() && trials.ready() && trials.confirm());
    files.changes = 0;
    return files;
  }
};

TEST_P(RemoteTrialsPowerTest, LeavesTheOldOrTheNewConfigurationWheneverThePowerGoes) {
  const bool confirms = GetParam();
  FakeRemoteFiles all = with_a_confirmed_one();
  RemoteTrials undisturbed(all);
  live(undisturbed, confirms);
  const int changes = all.changes;
  ASSERT_GT(changes, 8);
  for (int at = 1; at <= changes; ++at) {
    for (const bool behind : {false, true}) {
      FakeRemoteFiles files = with_a_confirmed_one();
      files.cut_at = at;
      files.cut_behind = behind;
      try {
        RemoteTrials trials(files);
        live(trials, confirms);
      } catch (const FakeRemoteFiles::PowerCut&) {
      }
      RemoteTrials next(files);
      ASSERT_TRUE(next.load()) << at;
      const std::string version = next.state().in_force();
      const std::string text = files.files.at(version + "/text");
      EXPECT_TRUE(text == "batch = 7\n" || text == "batch = 8\n") << at << ": " << text;
      EXPECT_EQ(files.files.at(version + "/files/profiles/a.ini"), text.substr(8, 1)) << at;
      live(next, confirms);
      const RemoteOutcome* outcome = next.outcome_of("c-8");
      ASSERT_NE(outcome, nullptr) << at;
      const std::string end = files.files.at(next.state().in_force() + "/text");
      EXPECT_EQ(end, outcome->how == "confirmed" ? "batch = 8\n" : "batch = 7\n") << at;
      EXPECT_FALSE(next.state().trial) << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BothWays, RemoteTrialsPowerTest, ::testing::Values(true, false));

}  // namespace
}  // namespace metergate
