#include "agent/run/service_thread.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "agent/base/fd.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Millis kSoon{10'000};  // far more than anything here takes, far less than the time limit of the test

class ServiceThreadTest : public testing::Test {
 protected:
  struct Pipe {
    Pipe() {
      int ends[2] = {-1, -1};
      EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
      out = Fd{ends[0]};
      in = Fd{ends[1]};
    }
    Fd out, in;
  };

  FailStop fail_stop() {
    return [this](const std::string& why) { failed_.set_value(why); };
  }
  std::string logged() {
    char buffer[4096];
    const ssize_t got = ::read(pipe_.out.get(), buffer, sizeof buffer);
    return std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  Pipe pipe_;
  SystemClock clock_;
  Log log_{LogLevel::kInfo, LogFormat::kText, clock_, pipe_.in.get()};
  Wake wake_;
  Heartbeat heartbeat_{"bus rs485-1"};
  std::promise<std::string> failed_;
};

TEST_F(ServiceThreadTest, CallsTheStepAgainAtTheTimeItAskedFor) {
  std::vector<MonoTime> asked, called;
  std::promise<void> enough;
  ServiceThread thread{make_task(
                           "bus",
                           [&](MonoTime now) {
                             called.push_back(now);
                             if (called.size() == 4) enough.set_value();
                             asked.push_back(called.size() < 4 ? now + 20ms : MonoTime::max());
                             return asked.back();
                           },
                           wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  EXPECT_EQ(enough.get_future().wait_for(kSoon), std::future_status::ready);
  thread.stop();
  ASSERT_TRUE(thread.join(kSoon));
  ASSERT_GE(called.size(), 4u);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_GE(called[i], asked[i - 1]);
}

TEST_F(ServiceThreadTest, EndsAWaitWhenItIsWoken) {
  std::atomic<int> steps{0};
  std::promise<void> first, second;
  ServiceThread thread{make_task(
                           "bus",
                           [&](MonoTime) {
                             const int step = ++steps;
                             if (step == 1) first.set_value();
                             if (step == 2) second.set_value();
                             return MonoTime::max();
                           },
                           wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  ASSERT_EQ(first.get_future().wait_for(kSoon), std::future_status::ready);
  wake_.notify();
  EXPECT_EQ(second.get_future().wait_for(kSoon), std::future_status::ready);
}

TEST_F(ServiceThreadTest, RunsInAThreadOfTheGivenName) {
  std::promise<std::string> name;
  ServiceThread thread{make_task(
                           "bus with a long name",
                           [&, told = false](MonoTime) mutable {
                             char buffer[32] = {};
                             pthread_getname_np(pthread_self(), buffer, sizeof buffer);
                             if (!told) name.set_value(buffer);
                             told = true;
                             return MonoTime::max();
                           },
                           wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  auto told = name.get_future();
  ASSERT_EQ(told.wait_for(kSoon), std::future_status::ready);
  EXPECT_EQ(told.get(), "bus with a long");
}

TEST_F(ServiceThreadTest, FinishesOnItsThreadAfterTheLastStep) {
  std::vector<std::string> calls;
  std::promise<void> stepped;
  Task task = make_task(
      "store",
      [&](MonoTime) {
        if (calls.empty()) stepped.set_value();
        calls.push_back("step");
        return MonoTime::max();
      },
      wake_);
  task.finish = [&] { calls.push_back("finish"); };
  ServiceThread thread{std::move(task), heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  ASSERT_EQ(stepped.get_future().wait_for(kSoon), std::future_status::ready);
  thread.stop();
  ASSERT_TRUE(thread.join(kSoon));
  EXPECT_THAT(calls, ElementsAre("step", "finish"));
  EXPECT_TRUE(heartbeat_.fresh(clock_.mono() + 24h));
}

TEST_F(ServiceThreadTest, TellsAnEscapedExceptionOnceAndEndsTheThread) {
  bool finished = false;
  Task task = make_task(
      "store", [](MonoTime) -> MonoTime { throw std::runtime_error("disk on fire"); }, wake_);
  task.finish = [&] { finished = true; };
  ServiceThread thread{std::move(task), heartbeat_, clock_, log_, fail_stop()};
  auto failed = failed_.get_future();

  ASSERT_TRUE(thread.start());

  ASSERT_EQ(failed.wait_for(kSoon), std::future_status::ready);
  EXPECT_EQ(failed.get(), "store: disk on fire");
  ASSERT_TRUE(thread.join(kSoon));
  const std::string lines = logged();
  EXPECT_THAT(lines, HasSubstr("disk on fire"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
  EXPECT_FALSE(heartbeat_.fresh(clock_.mono()));
  EXPECT_FALSE(finished);
}

TEST_F(ServiceThreadTest, TellsAnExceptionThatIsNoneOfTheStandardOnes) {
  ServiceThread thread{make_task(
                           "bus", [](MonoTime) -> MonoTime { throw 42; }, wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  auto failed = failed_.get_future();
  ASSERT_TRUE(thread.start());
  ASSERT_EQ(failed.wait_for(kSoon), std::future_status::ready);
  EXPECT_EQ(failed.get(), "bus: an exception of unknown type");
}

TEST_F(ServiceThreadTest, GivesUpJoiningAThreadThatHangs) {
  std::promise<void> entered, release;
  ServiceThread thread{make_task(
                           "bus",
                           [&](MonoTime) {
                             entered.set_value();
                             release.get_future().wait();
                             return MonoTime::max();
                           },
                           wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  ASSERT_EQ(entered.get_future().wait_for(kSoon), std::future_status::ready);
  thread.stop();
  EXPECT_FALSE(thread.join(50ms));
  release.set_value();
  EXPECT_TRUE(thread.join(kSoon));
}

TEST_F(ServiceThreadTest, LetsTheHeartbeatGoStaleOnlyWhenAStepTakesLongerThanItSaid) {
  std::promise<MonoTime> entered;
  std::promise<void> release;
  Task task = make_task(
      "bus",
      [&](MonoTime now) {
        heartbeat_.busy_until(now + 1min);
        entered.set_value(now);
        release.get_future().wait();
        return MonoTime::max();
      },
      wake_);
  task.patience = 1s;
  ServiceThread thread{std::move(task), heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  auto when = entered.get_future();
  ASSERT_EQ(when.wait_for(kSoon), std::future_status::ready);
  const MonoTime now = when.get();
  EXPECT_TRUE(heartbeat_.fresh(now + 1min));
  EXPECT_FALSE(heartbeat_.fresh(now + 1min + 1ns));
  release.set_value();
}

TEST_F(ServiceThreadTest, StaysFreshWhileItWaitsAndNotForEver) {
  std::promise<void> stepped;
  Task task = make_task(
      "bus",
      [&, told = false](MonoTime) mutable {
        if (!told) stepped.set_value();
        told = true;
        return MonoTime::max();
      },
      wake_);
  task.patience = 1s;
  Task waiting = task;
  std::promise<void> waits;
  waiting.wait_until = [&, told = false](MonoTime t) mutable {
    if (!told) waits.set_value();
    told = true;
    wake_.wait_until(t);
  };
  ServiceThread thread{std::move(waiting), heartbeat_, clock_, log_, fail_stop()};
  ASSERT_TRUE(thread.start());
  ASSERT_EQ(waits.get_future().wait_for(kSoon), std::future_status::ready);
  const MonoTime now = clock_.mono();
  EXPECT_TRUE(heartbeat_.fresh(now + 45s));
  EXPECT_FALSE(heartbeat_.fresh(now + 2min));
}

TEST_F(ServiceThreadTest, NeverStartedNeedsNoJoin) {
  ServiceThread thread{make_task(
                           "bus", [](MonoTime now) { return now; }, wake_),
                       heartbeat_, clock_, log_, fail_stop()};
  EXPECT_TRUE(thread.join(0ms));
  EXPECT_TRUE(heartbeat_.fresh(clock_.mono() + 24h));
}

}  // namespace
}  // namespace metergate
