#include "agent/command/intake.h"

#include <gtest/gtest.h>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/command/dispatcher.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/recording_store.h"

namespace metergate {
namespace {

class FakeSink : public CommandSink {
 public:
  std::size_t room(const CommandLane& lane) const override {
    return places - static_cast<std::size_t>(std::count_if(given.begin(), given.end(), [&](const OpenCommand& open) {
             return !(open.lane() < lane) && !(lane < open.lane());
           }));
  }
  void give(OpenCommand command) override { given.push_back(std::move(command)); }
  std::size_t places = 64;  ///< of each lane
  std::vector<OpenCommand> given;
};

class FakePause : public Pausable {
 public:
  explicit FakePause(const Clock& clock) : clock_(clock) {}
  UtcTime begin(Millis length) override {
    paused = length;
    return clock_.utc() + length;
  }
  bool end() override {
    paused.reset();
    return true;
  }
  std::optional<Millis> paused;

 private:
  const Clock& clock_;
};

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() : events_(store_, clock_) {
    OneBus bus;
    bus.meter("m1", 1);
    bus_ = std::make_unique<OneBus>(std::move(bus));
    for (MeterConfig& meter : bus_->bus.meters) meter.profile = &bus_->profile();
    site_.buses.push_back(bus_->bus);
    Intake::Parts intake;
    intake.site = &site_;
    intake.inbox = &store_;
    intake.events = &events_;
    intake.parsed = &parsed_;
    intake.clock = &clock_;
    intake.admitted = [this](const std::string& changed) {
      ++admitted_;
      dispatcher_->changed(changed);
    };
    intake.repeat = [this](const Row& row) { repeated_.push_back(row.key); };
    intake_ = std::make_unique<Intake>(std::move(intake));
    Dispatcher::Parts parts;
    parts.site = &site_;
    parts.inbox = &store_;
    parts.parsed = &parsed_;
    parts.clock = &clock_;
    parts.status = [] { return std::vector<std::string>{"\"version\":\"1\"", "\"version\":\"2\""}; };
    parts.catalog = [](const std::string& hash) {
      using Pages = std::vector<std::string>;
      return Result<std::optional<Pages>>(hash == "deadbeef" ? std::nullopt : std::optional(Pages{"{\"meters\":[]}"}));
    };
    parts.sinks["rs485-1"] = &sink_;
    parts.pauses["rs485-1"] = &pause_;
    dispatcher_ = std::make_unique<Dispatcher>(std::move(parts));
  }

  bool take(const std::string& payload) { return intake_->take("metergate/gw/commands", payload); }
  std::string result(std::size_t i, const char* name) const {
    return store_.results.at(i).find(name)->as_text().value_or("?");
  }
  std::string code(std::size_t i) const {
    return store_.results.at(i).find("error")->find("code")->as_text().value_or("?");
  }

  FakeClock clock_;
  RecordingStore store_;
  Events events_;
  Site site_;
  std::unique_ptr<OneBus> bus_;
  std::unique_ptr<Intake> intake_;
  ParsedCommands parsed_;
  std::unique_ptr<Dispatcher> dispatcher_;
  int admitted_ = 0;
  FakeSink sink_;
  FakePause pause_{clock_};
  std::vector<std::int64_t> repeated_;
};

const char* const kRead = R"({"id":"c1","op":"read","meter":"m1"})";

TEST_F(IntakeTest, MakesACommandDurableAndWakesItsBus) {
  EXPECT_TRUE(take(kRead));
  ASSERT_EQ(store_.commands.size(), 1u);
  EXPECT_EQ(store_.commands[0].bus, "rs485-1");
  EXPECT_EQ(admitted_, 1);
}

TEST_F(IntakeTest, LetsTheBrokerKeepAMessageWhoseCommitFailed) {
  store_.admit_fails = Error{Errc::kStorage, "disk", 0};
  EXPECT_FALSE(take(kRead));
}

TEST_F(IntakeTest, AcknowledgesWhatFindsNoRoomAtAll) {
  store_.admit_fails = Error{Errc::kFull, "full", 0};
  EXPECT_TRUE(take(kRead));
}

TEST_F(IntakeTest, RejectsWhatOnlyFindsTheReserve) {
  store_.reserve = true;
  EXPECT_TRUE(take(kRead));
  EXPECT_EQ(code(0), "store_full");
}

TEST_F(IntakeTest, RejectsAtOnceWhatCanNeverBeDone) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"id":"1","op":"read","meter":"nobody"})", "no_such_meter"},
      {R"({"id":"2","op":"read","meter":"m1","points":["powr"]})", "no_such_point"},
      {R"({"id":"3","op":"read","route":{"bus":"x","unit":1},"registers":{"table":"holding","address":0,"count":1}})",
       "no_such_bus"},
      {R"({"id":"4","op":"write","meter":"m1","point":"power","value":1,"expires_at":"2030-01-01T00:00:00Z"})",
       "not_writable"},
      {R"({"id":"5","op":"write","meter":"m1","point":"relay","value":7,"expires_at":"2030-01-01T00:00:00Z"})",
       "bad_value"},
      {R"({"id":"6","op":"write","meter":"m1","point":"relay","value":1})", "bad_command"},
      {R"({"id":"7","op":"dance"})", "bad_command"},
      {R"({"id":"8","op":"replay","from_seq":1})", "bad_command"},
      {R"({"id":"9","op":"pause"})", "bad_command"}};
  std::size_t i = 0;
  for (const auto& [payload, expected] : cases) {
    EXPECT_TRUE(take(payload));
    EXPECT_EQ(result(i, "status"), "rejected") << payload;
    EXPECT_EQ(code(i++), expected) << payload;
  }
  EXPECT_EQ(admitted_, 0);
}

TEST_F(IntakeTest, RepeatsTheResultOfACommandThatIsDoneAndNothingElse) {
  take(R"({"id":"x","op":"read","meter":"nobody"})");
  take(R"({"id":"x","op":"read","meter":"m1"})");
  EXPECT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(repeated_, (std::vector<std::int64_t>{1}));
  take(kRead);
  take(kRead);
  EXPECT_EQ(repeated_.size(), 1u);
  EXPECT_EQ(admitted_, 1);
}

TEST_F(IntakeTest, KeepsWhatIsNoCommandAsADeadLetterAndTellsIt) {
  EXPECT_TRUE(take("\xff not json"));
  EXPECT_TRUE(take(std::string(70'000, 'x')));
  EXPECT_EQ(store_.dead.size(), 2u);
  EXPECT_EQ(store_.names_of_events(), (std::vector<std::string>{"command_unreadable"}));
  EXPECT_TRUE(store_.results.empty());
}

TEST_F(IntakeTest, HandsABusItsCommandsInOrderAndNoMoreThanItTakes) {
  sink_.places = 2;
  for (int i = 0; i < 5; ++i) take(R"({"id":"c)" + std::to_string(i) + R"(","op":"read","meter":"m1"})");
  dispatcher_->step(clock_.mono());
  ASSERT_EQ(sink_.given.size(), 2u);
  sink_.places = 9;
  dispatcher_->changed("rs485-1");
  dispatcher_->step(clock_.mono());
  ASSERT_EQ(sink_.given.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(sink_.given[i].command.id, "c" + std::to_string(i));
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(sink_.given.size(), 5u);
}

TEST_F(IntakeTest, ParsesACommandOnceWhileTheProcessRuns) {
  take(kRead);
  store_.commands[0].body = "parsed again, this would be no command";
  dispatcher_->step(clock_.mono());
  ASSERT_EQ(sink_.given.size(), 1u);
  EXPECT_EQ(sink_.given[0].command.meter, "m1");
}

TEST_F(IntakeTest, AsksTheInboxAboutTheBusThatChangedAndNoOther) {
  dispatcher_->step(clock_.mono());
  store_.asked_for.clear();
  take(kRead);
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(store_.asked_for, (std::vector<std::string>{"rs485-1", "rs485-1"}));
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(store_.asked_for.size(), 2u);
}

TEST_F(IntakeTest, FindsWithinAMinuteWhatNobodyToldIt) {
  dispatcher_->step(clock_.mono());
  store_.commands.push_back({7, "c", "rs485-1", kRead, false, false, clock_.utc()});
  clock_.advance(std::chrono::minutes(1));
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(sink_.given.size(), 1u);
}

TEST_F(IntakeTest, LetsAnotherMetersCommandPassThoseThatFindNoRoom) {
  sink_.places = 2;
  for (int i = 0; i < 200; ++i) take(R"({"id":"a)" + std::to_string(i) + R"(","op":"read","meter":"m1"})");
  take(
      R"({"id":"b","op":"read","route":{"bus":"rs485-1","unit":9},"registers":{"table":"holding","address":0,"count":1}})");
  for (int i = 0; i < 4; ++i) dispatcher_->step(clock_.mono());
  ASSERT_EQ(sink_.given.size(), 3u);
  EXPECT_EQ(sink_.given[2].command.id, "b");
  EXPECT_TRUE(sink_.given[2].stored.body.empty());
}

TEST_F(IntakeTest, ExpiresAtItsTimeWhatFindsNoRoom) {
  sink_.places = 0;
  take(R"({"id":"a","op":"read","meter":"m1","expires_at":")" + rfc3339(clock_.utc() + std::chrono::seconds(5)) +
       "\"}");
  EXPECT_EQ(dispatcher_->step(clock_.mono()), clock_.mono() + std::chrono::seconds(5));
  clock_.advance(std::chrono::seconds(5) - Millis{1});
  dispatcher_->step(clock_.mono());
  EXPECT_TRUE(store_.results.empty());
  clock_.advance(Millis{1});
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(result(0, "status"), "expired");
}

TEST_F(IntakeTest, AnswersWhatNeedsNoBus) {
  take(R"({"id":"s","op":"status"})");
  take(R"({"id":"k","op":"catalog"})");
  take(R"({"id":"u","op":"catalog","catalog":"deadbeef"})");
  dispatcher_->step(clock_.mono());
  ASSERT_EQ(store_.results.size(), 3u);
  EXPECT_EQ(result(0, "status"), "done");
  EXPECT_EQ(result(0, "version"), "1");
  EXPECT_NE(store_.results[1].find("content")->find("meters"), nullptr);
  EXPECT_EQ(code(2), "bad_value");
}

TEST_F(IntakeTest, GivesThePageThatIsAskedFor) {
  take(R"({"id":"a","op":"status"})");
  take(R"({"id":"b","op":"status","page":2})");
  take(R"({"id":"c","op":"status","page":3})");
  take(R"({"id":"d","op":"status","page":0})");
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(code(0), "bad_command");
  EXPECT_EQ(result(1, "version"), "1");
  EXPECT_EQ(store_.results[1].find("page")->text, "1");
  EXPECT_EQ(store_.results[1].find("pages")->text, "2");
  EXPECT_EQ(result(2, "version"), "2");
  EXPECT_EQ(store_.results[2].find("page")->text, "2");
  EXPECT_EQ(code(3), "bad_value");
}

TEST_F(IntakeTest, LeavesAWriteThatWasCutOffUnknown) {
  StoredCommand cut{
      1,
      "w",
      "rs485-1",
      R"({"id":"w","op":"write","meter":"m1","point":"limit","value":1,"expires_at":"2030-01-01T00:00:00Z"})",
      true,
      true,
      clock_.utc()};
  store_.commands.push_back(cut);
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(result(0, "status"), "unknown");
  EXPECT_EQ(code(0), "interrupted");
  EXPECT_TRUE(sink_.given.empty());
}

TEST_F(IntakeTest, EndsOpenCommandsOfABusThatIsGone) {
  store_.commands.push_back({1, "o", "old", R"({"id":"o","op":"read","meter":"m9"})", false, false, clock_.utc()});
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(code(0), "no_such_meter");
}

TEST_F(IntakeTest, PausesAndResumesABusAtOnceThoughItHasNoRoomForCommands) {
  sink_.places = 0;
  take(R"({"id":"p","op":"pause","bus":"rs485-1","for":"5m"})");
  take(R"({"id":"n","op":"pause","bus":"nowhere"})");
  dispatcher_->step(clock_.mono());
  EXPECT_EQ(pause_.paused, std::chrono::minutes(5));
  EXPECT_EQ(code(0), "no_such_bus");
  EXPECT_EQ(result(1, "status"), "done");
  EXPECT_EQ(result(1, "bus"), "rs485-1");
  EXPECT_EQ(result(1, "until"), rfc3339(clock_.utc() + std::chrono::minutes(5)));
  take(R"({"id":"r","op":"resume","bus":"rs485-1"})");
  dispatcher_->step(clock_.mono());
  EXPECT_FALSE(pause_.paused);
  EXPECT_EQ(result(2, "status"), "done");
}

}  // namespace
}  // namespace metergate
