#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "agent/cli/subcommands.h"

namespace metergate {
namespace {

using testing::HasSubstr;

class PauseTest : public testing::Test {
 protected:
  int pause(const std::vector<std::string>& words) {
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      err_ << error->message;
      return error->status;
    }
    return run_pause(std::get<Invocation>(parsed), out_, err_, [this](const std::string& request) {
      request_ = request;
      return answer_;
    });
  }

  Result<std::string> answer_{std::string(R"({"bus":"a","until":"2026-11-22T10:30:00.000Z"})")};
  std::string request_;
  std::ostringstream out_, err_;
};

TEST_F(PauseTest, AsksForHalfAnHourUnlessToldOtherwiseAndSaysUntilWhenAndHowToEndIt) {
  EXPECT_EQ(pause({"pause", "a"}), 0);
  EXPECT_EQ(request_, R"({"ask":"pause","bus":"a","for":"30m"})");
  EXPECT_THAT(out_.str(), HasSubstr("until 2026-11-22T10:30:00.000Z and its port is free; 'metergate resume a'"));
  EXPECT_EQ(pause({"pause", "a", "--for", "2h"}), 0);
  EXPECT_EQ(request_, R"({"ask":"pause","bus":"a","for":"2h"})");
}

TEST_F(PauseTest, TellsWhetherThereWasAPauseToEnd) {
  answer_ = std::string(R"({"bus":"a","was_paused":true})");
  EXPECT_EQ(pause({"resume", "a"}), 0);
  EXPECT_EQ(request_, R"({"ask":"resume","bus":"a"})");
  EXPECT_EQ(out_.str(), "bus a is resumed\n");
  answer_ = std::string(R"({"bus":"a","was_paused":false})");
  EXPECT_EQ(pause({"resume", "a"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("bus a was not paused\n"));
}

TEST_F(PauseTest, RefusesWhatIsNoPause) {
  EXPECT_EQ(pause({"pause"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("the bus is missing; write metergate pause BUS"));
  EXPECT_EQ(pause({"pause", "a", "--for", "9h"}), 64);
  EXPECT_EQ(pause({"pause", "a", "--for", "0s"}), 64);
  EXPECT_EQ(pause({"pause", "a", "b"}), 64);
  EXPECT_EQ(pause({"resume", "a", "--for", "1m"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("--for is an option of 'pause', not of 'resume'"));
  EXPECT_EQ(request_, "");
}

TEST_F(PauseTest, TellsTheAgentsRefusalAndThatNoneRuns) {
  answer_ = std::string(R"({"error":{"code":"no_such_bus","message":"the agent has no bus 'x'"}})");
  EXPECT_EQ(pause({"pause", "x"}), 64);
  EXPECT_EQ(err_.str(), "metergate: the agent has no bus 'x'\n");
  answer_ = Error{Errc::kOffline, "/run/metergate/control: no agent runs"};
  EXPECT_EQ(pause({"pause", "x"}), 69);
}

TEST_F(PauseTest, RefusesAnAnswerThatDoesNotSayWhatWasDone) {
  for (const char* answer : {"{}", "[]", "7", R"({"until":5,"was_paused":"yes"})", R"({"error":7})", "no JSON"}) {
    answer_ = std::string(answer);
    EXPECT_EQ(pause({"pause", "a"}), 69) << answer;
    EXPECT_EQ(pause({"resume", "a"}), 69) << answer;
  }
  EXPECT_THAT(err_.str(), HasSubstr("metergate: the agent's answer has no text 'until'"));
  EXPECT_THAT(err_.str(), HasSubstr("metergate: the agent's answer has no true or false 'was_paused'"));
  EXPECT_EQ(out_.str(), "");
}

}  // namespace
}  // namespace metergate
