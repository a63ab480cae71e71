#include "agent/admin/control.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr Millis kSoon{10'000};

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    char folder[] = "/tmp/metergate-control-XXXXXX";
    folder_ = ::mkdtemp(folder);
    path_ = folder_ + "/control";
  }
  ~ControlTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<ControlServer> serve() {
    auto server = ControlServer::open(path_, handlers_, clock_, log_);
    EXPECT_TRUE(server) << server.error().detail;
    return server ? std::move(*server) : nullptr;
  }
  Fd connect() {
    auto socket = connect_unix(path_, kSoon);
    EXPECT_TRUE(socket) << socket.error().detail;
    if (!socket) return Fd{};
    EXPECT_EQ(::fcntl(socket->get(), F_SETFL, O_NONBLOCK), 0);
    return std::move(*socket);
  }
  static void send(const Fd& client, const std::string& bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// What has come so far; "<closed>" at its end when nothing more will.
  static std::string received(const Fd& client) {
    std::string all;
    char buffer[65'536];
    ssize_t got = 0;
    while ((got = ::recv(client.get(), buffer, sizeof buffer, 0)) > 0)
      all.append(buffer, static_cast<std::size_t>(got));
    return got == 0 || errno != EAGAIN ? all + "<closed>" : all;
  }
  /// Until nothing is left to do at once.
  void settle(ControlServer& server) {
    for (int i = 0; i < 1000 && server.step(clock_.mono()) <= clock_.mono(); ++i) {
    }
  }

  FakeClock clock_;
  Fd null_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::kError, LogFormat::kText, clock_, null_.get()};
  std::string folder_, path_;
  ControlServer::Handlers handlers_{
      {"status", [](const Json&) { return std::string(R"({"state":"fine"})"); }},
      {"echo", [](const Json& question) { return JsonWriter{}.text(question.find("text")->text).take(); }},
      {"large", [](const Json& question) {
         return '"' +
                std::string(static_cast<std::size_t>(question.find("size")->as_integer(0, 2 << 20).value()), 'x') + '"';
       }}};
};

TEST_F(ControlTest, AnswersAQuestionWithOneLine) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, AnswersSeveralQuestionsOfAClientInOrder) {
  auto server = serve();
  const Fd client = connect();
  std::string questions, expected;
  for (int i = 0; i < 100; ++i) {
    questions += R"({"ask":"echo","text":")" + std::to_string(i) + "\"}\n";
    expected += '"' + std::to_string(i) + "\"\n";
  }
  send(client, questions);
  settle(*server);
  EXPECT_EQ(received(client), expected);
  EXPECT_EQ(server->counters().questions, 100);
}

TEST_F(ControlTest, WaitsForTheRestOfALine) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":");
  settle(*server);
  EXPECT_EQ(received(client), "");
  send(client, "\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, TakesALastLineWithoutALineBreak) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"status\"}");
  ::shutdown(client.get(), SHUT_WR);
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n<closed>");
}

TEST_F(ControlTest, GivesAnAnswerThatTakesTimeWhenItIsThereWhileOthersAreServed) {
  std::optional<std::string> outcome;
  handlers_["slow"] = [&](const Json&) { return ControlServer::Later([&] { return outcome; }); };
  auto server = serve();
  const Fd patient = connect(), other = connect();
  send(patient, "{\"ask\":\"slow\"}\n{\"ask\":\"status\"}\n");
  send(other, "{\"ask\":\"status\"}\n");
  settle(*server);
  clock_.advance(60s);
  settle(*server);
  EXPECT_EQ(received(patient), "");
  EXPECT_EQ(received(other), "{\"state\":\"fine\"}\n<closed>");
  outcome = "7";
  settle(*server);
  EXPECT_EQ(received(patient), "7\n{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, ForgetsAnAnswerWhoseClientIsGoneOrWaitedForFiveMinutes) {
  const auto alive = std::make_shared<int>(0);
  handlers_["slow"] = [&](const Json&) {
    return ControlServer::Later([alive]() -> std::optional<std::string> { return std::nullopt; });
  };
  auto server = serve();
  Fd gone = connect();
  const Fd patient = connect();
  send(gone, "{\"ask\":\"slow\"}\n");
  send(patient, "{\"ask\":\"slow\"}\n");
  settle(*server);
  const long before = alive.use_count();
  gone = Fd{};
  settle(*server);
  EXPECT_EQ(alive.use_count(), before - 1);
  clock_.advance(300s);
  settle(*server);
  EXPECT_EQ(received(patient), "<closed>");
  EXPECT_EQ(server->counters().dropped_clients, 1);
}

TEST_F(ControlTest, LeavesTheOtherClientsToTheNextStepWhenAnAnswerTookLong) {
  handlers_["long"] = [&](const Json&) {
    clock_.advance(2s);
    return std::string("1");
  };
  auto server = serve();
  const Fd first = connect(), second = connect();
  settle(*server);
  send(first, "{\"ask\":\"long\"}\n");
  send(second, "{\"ask\":\"status\"}\n");
  const MonoTime now = clock_.mono();
  EXPECT_EQ(server->step(now), now);
  EXPECT_EQ(received(first) + received(second), "1\n");
  settle(*server);
  EXPECT_EQ(received(second), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, SaysWhatIsWrongWithAQuestionAndGoesOn) {
  auto server = serve();
  const Fd client = connect();
  for (const std::string bad : {"hello\n", "\n", "[]\n", "{\"ask\":7}\n", "{\"ask\":\"statsu\"}\n"}) {
    send(client, bad);
    settle(*server);
    EXPECT_THAT(received(client), StartsWith("{\"error\":{\"code\":\"bad_question\"")) << bad;
  }
  send(client, "{\"ask\":\"statsu\"}\n");
  settle(*server);
  EXPECT_THAT(received(client), HasSubstr("echo, large, status"));
  EXPECT_EQ(server->counters().bad_questions, 6);
}

TEST_F(ControlTest, TakesALineOfSixtyFourKibibytesAndEndsWithAClientThatSendsMore) {
  auto server = serve();
  const Fd client = connect();
  const std::string head = R"({"ask":"status","pad":")";
  std::string line = head + std::string(65'536 - head.size() - 2, 'x') + "\"}\n";
  send(client, line);
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");

  line.insert(head.size(), "x");
  send(client, line);
  settle(*server);
  EXPECT_THAT(received(client), HasSubstr("one line of at most 65536 bytes"));
  EXPECT_THAT(received(client), HasSubstr("<closed>"));
}

TEST_F(ControlTest, GivesUpAnAnswerThatIsTooLong) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"large\",\"size\":1048575}\n");
  settle(*server);
  EXPECT_THAT(received(client), StartsWith("{\"error\":{\"code\":\"too_long\""));
}

TEST_F(ControlTest, ASlowReaderDelaysNobody) {
  auto server = serve();
  const Fd slow = connect();
  send(slow, "{\"ask\":\"large\",\"size\":1000000}\n{\"ask\":\"status\"}\n");
  settle(*server);
  const Fd other = connect();
  send(other, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(other), "{\"state\":\"fine\"}\n");

  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += received(slow);
    settle(*server);
  }
  EXPECT_EQ(all, '"' + std::string(1'000'000, 'x') + "\"\n{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, DropsAClientThatAsksNothingForTenSeconds) {
  auto server = serve();
  const Fd client = connect();
  settle(*server);
  clock_.advance(9'999ms);
  send(client, "{\"ask\":");  // a piece of a question does not help
  settle(*server);
  EXPECT_EQ(received(client), "");
  clock_.advance(1ms);
  settle(*server);
  EXPECT_EQ(received(client), "<closed>");
  EXPECT_EQ(server->counters().dropped_clients, 1);
}

TEST_F(ControlTest, DropsAClientThatDoesNotReadItsAnswer) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"large\",\"size\":1000000}\n");
  settle(*server);
  clock_.advance(10s);
  settle(*server);
  const std::string all = received(client);
  EXPECT_LT(all.size(), 1'000'000u);
  EXPECT_THAT(all, testing::EndsWith("<closed>"));
}

TEST_F(ControlTest, KeepsAClientThatGoesOnAsking) {
  auto server = serve();
  const Fd client = connect();
  for (int i = 0; i < 5; ++i) {
    send(client, "{\"ask\":\"status\"}\n");
    settle(*server);
    EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
    clock_.advance(9s);
  }
}

TEST_F(ControlTest, AsksToBeCalledWhenTheNextClientIsToBeDropped) {
  auto server = serve();
  EXPECT_EQ(server->step(clock_.mono()), MonoTime::max());
  const Fd client = connect();
  EXPECT_EQ(server->step(clock_.mono()), clock_.mono() + 10s);
}

TEST_F(ControlTest, SaysBusyToTheSeventeenthClientAndServesTheOthers) {
  auto server = serve();
  std::vector<Fd> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(connect());
    settle(*server);
  }
  const Fd refused = connect();
  settle(*server);
  EXPECT_THAT(received(refused), StartsWith("{\"error\":{\"code\":\"busy\""));
  EXPECT_EQ(server->counters().refused_clients, 1);

  send(clients.front(), "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(clients.front()), "{\"state\":\"fine\"}\n");

  clients.pop_back();
  settle(*server);
  const Fd next = connect();
  send(next, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(next), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlTest, OutlivesAClientThatGoesInTheMiddleOfItsAnswer) {
  auto server = serve();
  {
    const Fd client = connect();
    send(client, "{\"ask\":\"large\",\"size\":1000000}\n");
    settle(*server);
  }
  settle(*server);
  EXPECT_EQ(server->step(clock_.mono()), MonoTime::max());
}

TEST_F(ControlTest, PausesWhenNoDescriptorIsLeft) {
  auto server = serve();
  const Fd client = connect();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Fd highest{::dup(client.get())};
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest.get() + 1);
  std::vector<Fd> holes;  // below the limit
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  while (true) {
    Fd hole{::dup(client.get())};
    if (!hole) break;
    holes.push_back(std::move(hole));
  }
  const MonoTime next = server->step(clock_.mono());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(next, clock_.mono() + 1s);

  holes.clear();
  clock_.advance(1s);
  send(client, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

/// With a thread that serves, on the real clock.
class ControlAskTest : public ControlTest {
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
  ~ControlAskTest() override {
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

TEST_F(ControlAskTest, GetsTheAnswer) {
  start();
  const auto answer = ask(path_, R"({"ask":"status"})", kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(*answer, R"({"state":"fine"})");
}

TEST_F(ControlAskTest, GetsAnAnswerAsLargeAsItMayBe) {
  start();
  const auto answer = ask(path_, R"({"ask":"large","size":1048574})", kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->size(), 1'048'576u);
}

TEST_F(ControlAskTest, GetsTheErrorWhenItsQuestionIsTooLong) {
  start();
  const auto answer = ask(path_, std::string(1'000'000, 'x'), kSoon, real_);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_THAT(*answer, HasSubstr("at most 65536 bytes"));
}

TEST_F(ControlAskTest, SaysThatNobodyListens) {
  const auto missing = ask(path_, "{}", kSoon, real_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kOffline);
  EXPECT_THAT(missing.error().detail, HasSubstr("no agent runs with this --control path"));
}

TEST_F(ControlAskTest, GivesUpWhenNoAnswerComes) {
  const auto silent = UnixListener::open(path_);
  ASSERT_TRUE(silent);
  const MonoTime before = real_.mono();
  const auto answer = ask(path_, "{}", 100ms, real_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kTimeout);
  EXPECT_GE(real_.mono() - before, 100ms);
}

TEST_F(ControlAskTest, GivesUpWhenTheConnectionIsNotEvenTaken) {
  const auto silent = UnixListener::open(path_);
  ASSERT_TRUE(silent);
  std::vector<Fd> waiting;
  for (int i = 0; i < 17; ++i) waiting.push_back(connect());
  const auto answer = ask(path_, "{}", 100ms, real_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kTimeout);
}

TEST_F(ControlAskTest, SaysThatTheAnswerIsIncomplete) {
  const auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  std::thread half([&] {
    Fd client;
    const MonoTime until = real_.mono() + kSoon;
    while (!client && real_.mono() < until) client = Fd{::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC)};
    send(client, "{\"half\":");
  });
  const auto answer = ask(path_, "{}", kSoon, real_);
  half.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kGarbled);
}

TEST_F(ControlAskTest, AWaitEndsWhenItIsNotified) {
  auto server = serve();
  server->notify();
  server->wait_until(MonoTime::max());  // the test's time limit tells if it does not
}

}  // namespace
}  // namespace metergate
