#include "agent/admin/control_server.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "tests/wire/control_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

using ControlServerTest = ControlFixture;

TEST_F(ControlServerTest, AnswersARequestWithOneLine) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlServerTest, AnswersSeveralRequestsOfAClientInOrder) {
  auto server = serve();
  const Fd client = connect();
  std::string requests, expected;
  for (int i = 0; i < 100; ++i) {
    requests += R"({"ask":"echo","text":")" + std::to_string(i) + "\"}\n";
    expected += '"' + std::to_string(i) + "\"\n";
  }
  send(client, requests);
  settle(*server);
  EXPECT_EQ(received(client), expected);
  EXPECT_EQ(server->counters().requests, 100);
}

TEST_F(ControlServerTest, WaitsForTheRestOfALine) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":");
  settle(*server);
  EXPECT_EQ(received(client), "");
  send(client, "\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlServerTest, TakesALastLineWithoutALineBreak) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"status\"}");
  ::shutdown(client.get(), SHUT_WR);
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n<closed>");
}

TEST_F(ControlServerTest, GivesAnAnswerThatTakesTimeWhenItIsThereWhileOthersAreServed) {
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

TEST_F(ControlServerTest, ForgetsAnAnswerWhoseClientIsGoneOrWaitedForFiveMinutes) {
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
  EXPECT_EQ(server->clients().dropped_clients, 1);
}

TEST_F(ControlServerTest, LeavesTheOtherClientsToTheNextStepWhenAnAnswerTookLong) {
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

TEST_F(ControlServerTest, SaysWhatIsWrongWithARequestAndGoesOn) {
  auto server = serve();
  const Fd client = connect();
  for (const std::string bad : {"hello\n", "\n", "[]\n", "{\"ask\":7}\n", "{\"ask\":\"statsu\"}\n"}) {
    send(client, bad);
    settle(*server);
    EXPECT_THAT(received(client), StartsWith("{\"error\":{\"code\":\"bad_request\"")) << bad;
  }
  send(client, "{\"ask\":\"statsu\"}\n");
  settle(*server);
  EXPECT_THAT(received(client), HasSubstr("echo, large, status"));
  EXPECT_EQ(server->counters().bad_requests, 6);
}

TEST_F(ControlServerTest, TakesALineOfSixtyFourKibibytesAndEndsWithAClientThatSendsMore) {
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

TEST_F(ControlServerTest, GivesUpAnAnswerThatIsTooLong) {
  auto server = serve();
  const Fd client = connect();
  send(client, "{\"ask\":\"large\",\"size\":1048575}\n");
  settle(*server);
  EXPECT_THAT(received(client), StartsWith("{\"error\":{\"code\":\"too_long\""));
}

TEST_F(ControlServerTest, ASlowReaderDelaysNobody) {
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

TEST_F(ControlServerTest, DropsAClientThatRequestsNothingForTenSeconds) {
  auto server = serve();
  const Fd client = connect();
  settle(*server);
  clock_.advance(9'999ms);
  send(client, "{\"ask\":");  // a piece of a request does not help
  settle(*server);
  EXPECT_EQ(received(client), "");
  clock_.advance(1ms);
  settle(*server);
  EXPECT_EQ(received(client), "<closed>");
  EXPECT_EQ(server->clients().dropped_clients, 1);
}

TEST_F(ControlServerTest, DropsAClientThatDoesNotReadItsAnswer) {
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

TEST_F(ControlServerTest, KeepsAClientThatGoesOnRequesting) {
  auto server = serve();
  const Fd client = connect();
  for (int i = 0; i < 5; ++i) {
    send(client, "{\"ask\":\"status\"}\n");
    settle(*server);
    EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
    clock_.advance(9s);
  }
}

TEST_F(ControlServerTest, WantsToBeCalledWhenTheNextClientIsToBeDropped) {
  auto server = serve();
  EXPECT_EQ(server->step(clock_.mono()), clock_.mono() + 30s) << "to look after the socket's file";
  const Fd client = connect();
  EXPECT_EQ(server->step(clock_.mono()), clock_.mono() + 10s);
}

TEST_F(ControlServerTest, ServesTheNextClientWhileSixteenWaitForTheirAnswers) {
  handlers_["slow"] = [](const Json&) {
    return ControlServer::Later([]() -> std::optional<std::string> { return std::nullopt; });
  };
  auto server = serve();
  std::vector<Fd> waiting;
  for (int i = 0; i < 16; ++i) {
    waiting.push_back(connect());
    send(waiting.back(), "{\"ask\":\"slow\"}\n");
    settle(*server);
  }
  const Fd next = connect();
  send(next, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(next), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlServerTest, SaysBusyToAClientTooManyAndServesTheOthers) {
  auto server = serve();
  std::vector<Fd> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(connect());
    settle(*server);
  }
  const Fd refused = connect();
  settle(*server);
  EXPECT_THAT(received(refused), StartsWith("{\"error\":{\"code\":\"busy\""));
  EXPECT_EQ(server->clients().refused_clients, 1);

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

TEST_F(ControlServerTest, ServesAtItsPathAgainWithinAMinuteAfterItsFileWasRemoved) {
  auto server = serve();
  settle(*server);
  std::filesystem::remove(path_);
  EXPECT_FALSE(connect_unix(path_, 10ms));
  clock_.advance(60s);
  settle(*server);
  const Fd client = connect();
  send(client, "{\"ask\":\"status\"}\n");
  settle(*server);
  EXPECT_EQ(received(client), "{\"state\":\"fine\"}\n");
}

TEST_F(ControlServerTest, OutlivesAClientThatGoesInTheMiddleOfItsAnswer) {
  auto server = serve();
  {
    const Fd client = connect();
    send(client, "{\"ask\":\"large\",\"size\":1000000}\n");
    settle(*server);
  }
  settle(*server);
  EXPECT_EQ(server->step(clock_.mono()), clock_.mono() + 30s) << "to look after the socket's file";
}

TEST_F(ControlServerTest, PausesWhenNoDescriptorIsLeft) {
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

}  // namespace
}  // namespace metergate
