#include "agent/run/config_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace metergate {
namespace {

using ::testing::EndsWith;

/// What this program does when it is started as `metergate check WHAT`.
int check(const std::string& what) {
  if (what == "wrong") std::fputs("metergate: one\nwarning: no error\nmetergate: two\n", stderr);
  if (what == "long") std::fputs(("metergate: " + std::string(20'000, 'x') + "\n").c_str(), stderr);
  if (what == "hang") ::pause();
  return what == "right" ? 0 : 78;
}

class ConfigCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name;
    std::ifstream("/proc/self/comm") >> name;
    if (name.rfind("qemu", 0) == 0) GTEST_SKIP() << "an emulator cannot start its program again";
  }
  Status outcome(const std::string& what) {
    auto child = ConfigCheck::start({"run", what}, now_);
    if (!child) return child.error();
    for (int i = 0; i < 6'000; ++i) {
      if (const auto ended = child->step(now_)) return *ended;
      clock_.sleep_until(clock_.mono() + Millis{10});
    }
    return Error{Errc::kTimeout, "it did not end"};
  }
  SystemClock clock_;
  MonoTime now_{std::chrono::hours(1)};
};

TEST_F(ConfigCheckTest, FindsNothingWrongWhereCheckDoesNot) { EXPECT_TRUE(outcome("right")); }

TEST_F(ConfigCheckTest, TellsTheErrorsOfCheckALineEachWithoutItsWarnings) {
  const Status wrong = outcome("wrong");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::kInvalid);
  EXPECT_EQ(wrong.error().detail, "one\ntwo");
}

TEST_F(ConfigCheckTest, TellsAFailureWithoutAMessage) {
  const Status wrong = outcome("silent");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().detail, "'metergate check' failed without a message");
}

TEST_F(ConfigCheckTest, KeepsTheFirst8KibibytesOfWhatIsSaid) {
  const Status wrong = outcome("long");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().detail, std::string(8192 - std::string("metergate: ").size(), 'x'));
}

TEST_F(ConfigCheckTest, GivesUpAfterAMinuteAndEndsTheChild) {
  auto child = ConfigCheck::start({"run", "hang"}, now_);
  ASSERT_TRUE(child);
  EXPECT_FALSE(child->step(now_ + Millis{59'999}));
  const auto late = child->step(now_ + Millis{60'000});
  ASSERT_TRUE(late);
  ASSERT_FALSE(*late);
  EXPECT_EQ(late->error().code, Errc::kTimeout);
  EXPECT_THAT(late->error().detail, EndsWith("did not end within 1m"));
}

}  // namespace
}  // namespace metergate

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]) == "check") return metergate::check(argv[2]);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
