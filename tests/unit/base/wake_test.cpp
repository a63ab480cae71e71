#include "agent/base/wake.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

namespace metergate {
namespace {

constexpr auto kSoon = std::chrono::seconds(30);

class WakeTest : public testing::Test {
 protected:
  /// The wait's future, in a thread of its own.
  std::future<void> wait(MonoTime until) {
    return std::async(std::launch::async, [this, until] { wake_.wait_until(until); });
  }
  Wake wake_;
};

TEST_F(WakeTest, EndsAWaitByItsTime) {
  wake_.wait_until(MonoTime{});  // long past
}

TEST_F(WakeTest, EndsAWaitThatHasNoEndOfItsOwn) {
  std::future<void> waiting = wait(MonoTime::max());
  wake_.notify();
  EXPECT_EQ(waiting.wait_for(kSoon), std::future_status::ready);
}

TEST_F(WakeTest, IsNotLostWhenItComesBeforeTheWait) {
  wake_.notify();
  EXPECT_EQ(wait(MonoTime::max()).wait_for(kSoon), std::future_status::ready);
}

TEST_F(WakeTest, EndsOneWaitOnly) {
  const SystemClock clock;
  wake_.notify();
  wake_.notify();
  wake_.wait_until(MonoTime::max());
  const MonoTime end = clock.mono() + Millis{20};
  wake_.wait_until(end);
  EXPECT_GE(clock.mono(), end);
}

}  // namespace
}  // namespace metergate
