#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "tests/wire/free_port.h"
#include "tests/wire/rst_proxy.h"
#include "tests/wire/uplink_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kCommands = "metergate/g1/commands";
const std::string kReadings = "metergate/g1/readings";

class UplinkTest : public UplinkFixture {
 protected:
  void use(const Mosquitto& broker) { settings.options.brokers.front().port = broker.port(); }
};

TEST_F(UplinkTest, PublishesEachMessageOnceAndTellsItsPuback) {
  Mosquitto broker;
  use(broker);
  const auto consumer = broker.subscriber("metergate/g1/#");
  const auto one = begin();
  ASSERT_TRUE(one->up());
  for (Handle h = 1; h <= 50; ++h) {
    ASSERT_TRUE(one->publish(h, {kReadings, "{\"n\":" + std::to_string(h) + "}", false}));
    ASSERT_TRUE(one->acked(h));
  }

  for (int i = 1; i <= 50; ++i) {
    EXPECT_EQ(consumer->line(2s), kReadings + " {\"n\":" + std::to_string(i) + "}");
  }
  EXPECT_EQ(one->told.lost, 0);
}

TEST_F(UplinkTest, TakesAWindowOfLargeMessagesAtOnce) {
  Mosquitto broker;
  use(broker);
  const auto one = begin();
  ASSERT_TRUE(one->up());
  for (Handle h = 1; h <= 16; ++h) ASSERT_TRUE(one->publish(h, {kReadings, std::string(65'536, 'x'), false}));

  EXPECT_TRUE(one->told.wait([&] { return one->told.acked.size() == 16; }));
}

TEST_F(UplinkTest, TellsWhetherTheBrokerStillHasTheSession) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  ASSERT_TRUE(one->up());
  EXPECT_FALSE(one->told.session);
  ASSERT_TRUE(one->subscribe({kCommands}));
  one.reset();
  one = begin();
  ASSERT_TRUE(one->up());
  EXPECT_TRUE(one->told.session);
  one.reset();
  broker.stop();
  broker.start();
  one = begin();
  ASSERT_TRUE(one->up());

  EXPECT_FALSE(one->told.session);
}

TEST_F(UplinkTest, GetsACommandThatWaitedForItOnce) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));
  one.reset();
  broker.publish(kCommands, "c1");
  one = begin();
  ASSERT_TRUE(one->told.wait([&] { return !one->told.messages.empty(); }));
  EXPECT_EQ(one->told.messages[0].payload, "c1");
  EXPECT_FALSE(one->told.messages[0].retained);
  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1), 1);
  one.reset();
  one = begin();
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));

  EXPECT_THAT(one->told.messages, IsEmpty());
}

TEST_F(UplinkTest, SendsNoPubackForWhatWasNotTakenSoThatItComesAgain) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  int offered = 0;
  one->told.take = [&](const Message&) {
    ++offered;
    return false;
  };
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));
  broker.publish(kCommands, "c1");
  ASSERT_TRUE(one->lost());
  one.reset();
  EXPECT_EQ(offered, 1);
  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1, 200ms), 0);

  one = begin();
  ASSERT_TRUE(one->told.wait([&] { return !one->told.messages.empty(); }));
  EXPECT_EQ(one->told.messages[0].payload, "c1");
  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1), 1);
}

TEST_F(UplinkTest, SendsNoPubackForTheMessagesThatWereAlreadyReadBehindIt) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));
  one.reset();
  for (int i = 0; i < 5; ++i) broker.publish(kCommands, "c" + std::to_string(i));
  one = std::make_unique<Try>();
  one->told.take = [](const Message& m) { return m.payload == "c0"; };
  one->connection = connector->make(one->told);
  one->connection->start();
  ASSERT_TRUE(one->lost());
  one.reset();
  const int acknowledged = broker.logged("Received PUBACK from metergate-g1", 1, 200ms);
  EXPECT_LE(acknowledged, 1);  // that of c0 may not have left any more

  one = begin();
  ASSERT_TRUE(one->told.wait([&] { return static_cast<int>(one->told.messages.size()) + acknowledged >= 5; }));
  EXPECT_EQ(one->told.messages.back().payload, "c4");
}

TEST_F(UplinkTest, TakesAnExceptionOfTheOneWhoGetsAMessageForNotTaken) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  one->told.take = [](const Message&) -> bool { throw std::runtime_error("disk on fire"); };
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));
  broker.publish(kCommands, "c1");
  ASSERT_TRUE(one->lost());
  EXPECT_THAT(one->told.why, HasSubstr("disk on fire"));
  one.reset();

  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1, 200ms), 0);
}

TEST_F(UplinkTest, KeepsAMessageWaitingWhileItIsCommitted) {
  Mosquitto broker;
  use(broker);
  auto one = begin();
  one->told.take = [](const Message&) {
    pause_for(300ms);
    return true;
  };
  ASSERT_TRUE(one->up() && one->subscribe({kCommands}));
  broker.publish(kCommands, "c1");
  ASSERT_TRUE(one->told.wait([&] { return !one->told.messages.empty(); }));
  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1, 150ms), 0);

  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1), 1);
}

TEST_F(UplinkTest, SetsTcpNodelayAndAUserTimeoutOnItsSocket) {
  Mosquitto broker;
  use(broker);
  const auto one = begin();
  ASSERT_TRUE(one->up());

  int sockets = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != broker.port())
      continue;
    ++sockets;
    int nodelay = 0;
    unsigned timeout = 0;
    socklen_t length = sizeof nodelay;
    ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
    ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &length), 0);
    EXPECT_EQ(nodelay, 1);
    EXPECT_EQ(timeout, 30'000u);
  }
  EXPECT_EQ(sockets, 1);
}

TEST_F(UplinkTest, TakesTheNextAddressOfTheNameAtEachTry) {
  Mosquitto broker;
  use(broker);
  settings.options.brokers.front().host = "broker.test";
  addresses = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};  // the broker listens on the last one only
  EXPECT_TRUE(begin()->lost());
  EXPECT_TRUE(begin()->lost());
  EXPECT_TRUE(begin()->up());

  EXPECT_THAT(looked_up, ElementsAre("broker.test", "broker.test", "broker.test"));
}

TEST_F(UplinkTest, ReachesABrokerByIpv6) {
  const int port = free_port();
  Mosquitto broker({"allow_anonymous true", "listener " + std::to_string(port) + " ::1"});
  settings.options.brokers.front().port = port;
  addresses = {"::1"};
  auto one = begin();
  ASSERT_TRUE(one->up()) << one->told.why;
  one->told.take = [](const Message&) { return false; };
  ASSERT_TRUE(one->subscribe({kCommands}));
  broker.publish(kCommands, "c1");
  EXPECT_TRUE(one->lost());
  one.reset();

  EXPECT_EQ(broker.logged("Received PUBACK from metergate-g1", 1, 200ms), 0);
}

TEST_F(UplinkTest, IsLostWhenTheNameHasNoAnswerYetAndConnectsWhenItHas) {
  Mosquitto broker;
  use(broker);
  bool answered = false;
  settings.resolve = [&](const std::string&, Millis patience) -> Result<std::vector<std::string>> {
    EXPECT_LE(patience, 500ms);
    if (answered) return std::vector<std::string>{"127.0.0.1"};
    return Error{Errc::kOffline, "'broker.test': no answer yet"};
  };
  const auto waiting = begin();
  EXPECT_EQ(waiting->told.lost, 1);
  EXPECT_THAT(waiting->told.why, HasSubstr("no answer yet"));
  EXPECT_FALSE(waiting->connection->publish(1, {kReadings, "{}", false}));
  answered = true;

  EXPECT_TRUE(begin()->up());
}

TEST_F(UplinkTest, TellsAWrongPasswordWithoutItsText) {
  WireFolder folder;
  const std::string users = folder.write("users", "");
  ASSERT_TRUE(run_program({"mosquitto_passwd", "-b", users, "g1", "right horse"}));
  Mosquitto broker({"allow_anonymous false", "password_file " + users});
  use(broker);
  settings.options.username = "g1";
  settings.options.password_file = folder.write("password", "wrong horse\n");
  const auto refused = begin();
  EXPECT_TRUE(refused->lost());
  EXPECT_THAT(refused->told.why, HasSubstr("--password-file"));
  EXPECT_THAT(refused->told.why, Not(HasSubstr("horse")));

  folder.write("password", "right horse\r\n");
  ASSERT_TRUE(make_connector());
  EXPECT_TRUE(begin()->up());
  EXPECT_EQ(log.count("horse"), 0);
}

TEST_F(UplinkTest, RefusesAPasswordFileThatIsMissingOrEmpty) {
  WireFolder folder;
  for (const std::string& file : {folder.path("missing"), folder.write("empty", "\n")}) {
    settings.options.password_file = file;
    const Status made = make_connector();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::kInvalid);
    EXPECT_THAT(made.error().detail, HasSubstr("--password-file " + file));
  }
}

TEST_F(UplinkTest, LeavesItsWillRetainedWhenTheLineBreaksAndNoneAtAGoodbye) {
  Mosquitto broker;
  RstProxy proxy(broker.port());
  settings.options.brokers.front().port = proxy.port();
  const auto consumer = broker.subscriber("metergate/g1/status");
  auto one = begin();
  ASSERT_TRUE(one->up());
  one->connection->disconnect(1s);
  one.reset();
  EXPECT_EQ(consumer->line(300ms), "");
  one = begin();
  ASSERT_TRUE(one->up());
  proxy.reset();
  EXPECT_TRUE(one->lost());

  EXPECT_EQ(consumer->line(3s), "metergate/g1/status gone");
  EXPECT_EQ(broker.subscriber("metergate/g1/status")->line(2s), "metergate/g1/status gone");
}

/// Takes every CONNECT, and of a SUBSCRIBE for two topics the second only. mosquitto with an ACL grants all.
class GrudgingBroker {
 public:
  explicit GrudgingBroker(int& port) : listener_(listen_on_loopback(port)), thread_([this] { run(); }) {}
  ~GrudgingBroker() { thread_.join(); }

 private:
  static bool heard(int fd) {
    char packet[512];
    return ::recv(fd, packet, sizeof packet, 0) > 0;
  }
  void run() {
    for (int i = 0; i < 2; ++i) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 5000) <= 0) return;
      const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const unsigned char connack[] = {0x20, 2, 0, 0};
      const unsigned char suback[] = {0x90, 4, 0, 1, 0x80, 1};  // MQTT 3.1.1, 3.9: 0x80 is failure
      if (!heard(client.get()) || ::send(client.get(), connack, sizeof connack, 0) < 0) return;
      if (!heard(client.get()) || ::send(client.get(), suback, sizeof suback, 0) < 0) return;
      heard(client.get());  // the end
    }
  }
  Fd listener_;
  std::thread thread_;
};

TEST_F(UplinkTest, TellsWhichSubscriptionTheBrokerRefusesAndGoesOnWithoutIt) {
  GrudgingBroker broker(settings.options.brokers.front().port);
  for (int i = 0; i < 2; ++i) {
    const auto one = begin();
    ASSERT_TRUE(one->up());
    EXPECT_TRUE(one->subscribe({kCommands, "metergate/g1/status"}));
    EXPECT_THAT(one->told.refused, ElementsAre(kCommands));
  }
}

TEST_F(UplinkTest, IsLostAtOnceWhereNobodyListensAndSaysSo) {
  settings.options.brokers.front().port = free_port();
  const auto one = begin();
  EXPECT_TRUE(one->lost());

  EXPECT_THAT(one->told.why, HasSubstr("127.0.0.1:"));
  EXPECT_EQ(one->told.lost, 1);
  EXPECT_THAT(one->connection->explain(one->told.why), HasSubstr("connection refused"));
}

/// Says one thing to everybody who connects, when it has heard something, and hangs up.
class OtherServer {
 public:
  OtherServer(int& port, std::string answer)
      : answer_(std::move(answer)), listener_(listen_on_loopback(port)), thread_([this] { run(); }) {}
  ~OtherServer() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run() {
    while (!stop_) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0) continue;
      const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char heard[512];
      if (::recv(client.get(), heard, sizeof heard, 0) <= 0) continue;
      ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }
  std::string answer_;
  std::atomic<bool> stop_{false};
  Fd listener_;
  std::thread thread_;
};

TEST_F(UplinkTest, SaysWhatListensWhereNoBrokerDoes) {
  const std::string alert("\x15\x03\x01\x00\x02\x02\x46", 7);  // RFC 8446, 6: fatal, protocol_version
  const std::vector<std::pair<std::string, std::string>> cases{
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "it is an HTTP server"},
      {alert, "it speaks TLS: mqtts://"},
      {"", "ends the connection without an answer"},
      {"SSH-2.0-OpenSSH\r\n", "is not MQTT"},
  };
  for (const auto& [answer, text] : cases) {
    OtherServer server(settings.options.brokers.front().port, answer);
    connector.reset();
    const auto one = begin();
    ASSERT_TRUE(one->lost()) << text;
    EXPECT_THAT(one->connection->explain(one->told.why), HasSubstr(text));
  }
}

TEST_F(UplinkTest, RefusesAUserNameThatMqttCannotCarry) {
  settings.options.username = std::string(65'535, 'u');
  EXPECT_TRUE(make_connector());
  connector.reset();
  settings.options.username += 'u';
  const Status made = make_connector();
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().detail, HasSubstr("--username: 65536 bytes; MQTT carries at most 65535"));
}

TEST_F(UplinkTest, CanBeGivenUpWhileTheBrokerDoesNotAnswer) {
  int port = 0;
  const Fd silent = listen_on_loopback(port);
  settings.options.brokers.front().port = port;
  auto one = begin();
  EXPECT_FALSE(one->told.wait([&] { return one->told.connected || one->told.lost > 0; }, 300ms));
  const MonoTime begin_of_end = clock.mono();
  one->connection.reset();

  EXPECT_LT(clock.mono() - begin_of_end, 2s);
  EXPECT_EQ(one->told.lost, 0);
}

TEST_F(UplinkTest, IgnoresProxiesOfTheEnvironment) {
  Mosquitto broker;
  use(broker);
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);

  EXPECT_TRUE(begin()->up());
}

}  // namespace
}  // namespace metergate
