#include "agent/admin/control_client.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/wire/control_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// With a thread that serves, on the real clock.
class ControlClientTest : public ControlFixture {
 protected:
  /// Serves until the fixture ends.
  void start() {
    auto server = ControlServer::open(path_, handlers_, real_, log_);
    ASSERT_TRUE(server) << server.error().detail;
    server_ = std::move(*server);
    thread_ = std::thread([this] {
      while (!stop_) server_->wait_until(server_->step(real_.mono()));
    });
  }
  ~ControlClientTest() override {
    if (!server_) return;
    stop_ = true;
    server_->notify();
    thread_.join();
  }

  SystemClock real_;
  std::unique_ptr<ControlServer> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(ControlClientTest, GetsTheAnswer) {
  start();
  const auto answer = request_at(path_, R"({"ask":"status"})", kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(*answer, R"({"state":"fine"})");
}

TEST_F(ControlClientTest, GetsAnAnswerAsLargeAsItMayBe) {
  start();
  const auto answer = request_at(path_, R"({"ask":"large","size":1048574})", kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->size(), 1'048'576u);
}

TEST_F(ControlClientTest, GetsTheErrorWhenItsRequestIsTooLong) {
  start();
  const auto answer = request_at(path_, std::string(1'000'000, 'x'), kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_THAT(*answer, HasSubstr("at most 65536 bytes"));
}

TEST_F(ControlClientTest, SaysThatNobodyListens) {
  const auto missing = request_at(path_, "{}", kSoon, real_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kOffline);
  EXPECT_THAT(missing.error().detail, HasSubstr("no agent runs with this --control path"));
}

TEST_F(ControlClientTest, GivesUpWhenNoAnswerComes) {
  const auto silent = UnixListener::open(path_);
  ASSERT_TRUE(silent);
  const MonoTime before = real_.mono();
  const auto answer = request_at(path_, "{}", 100ms, real_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kTimeout);
  EXPECT_GE(real_.mono() - before, 100ms);
}

TEST_F(ControlClientTest, GivesUpWhenTheConnectionIsNotEvenTaken) {
  const auto silent = UnixListener::open(path_);
  ASSERT_TRUE(silent);
  std::vector<Fd> waiting;
  for (int i = 0; i < 17; ++i) waiting.push_back(connect());
  const auto answer = request_at(path_, "{}", 100ms, real_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kTimeout);
}

TEST_F(ControlClientTest, SaysThatTheAnswerIsIncomplete) {
  const auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  std::thread half([&] {
    Fd client;
    const MonoTime until = real_.mono() + kSoon;
    while (!client && real_.mono() < until) client = Fd{::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC)};
    send(client, "{\"half\":");
  });
  const auto answer = request_at(path_, "{}", kSoon, real_);
  half.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kGarbled);
}

TEST_F(ControlClientTest, AWaitEndsWhenItIsNotified) {
  auto server = serve();
  server->notify();
  server->wait_until(MonoTime::max());  // the test's time limit tells if it does not
}

}  // namespace
}  // namespace metergate
