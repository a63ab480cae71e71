#include "agent/admin/socket_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <vector>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// An abstract unix socket, which the test may take away and give back.
class FakeListener : public Listener {
 public:
  int fd() const override { return fd_.get(); }
  MonoTime step(MonoTime) override { return next; }
  void open() {
    fd_ = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ASSERT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address_), size_), 0);
    socklen_t size = sizeof address_;
    ASSERT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &size), 0);
    size_ = size;
    ASSERT_EQ(::listen(fd_.get(), 64), 0);
  }
  void close() { fd_ = Fd{}; }
  Fd connect() const {
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), size_), 0);
    EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
    return fd;
  }
  MonoTime next = MonoTime::max();

 private:
  sockaddr_un address_{AF_UNIX, {}};
  socklen_t size_ = sizeof(sa_family_t);  // the kernel chooses a name
  Fd fd_;
};

/// A protocol of words that end with a blank: `echo `, `bye ` (the last), `wait ` (answered by the test).
class SocketServerTest : public testing::Test {
 protected:
  void serve() {
    auto listener = std::make_unique<FakeListener>();
    listener_ = listener.get();
    listener_->open();
    const auto protocol = [this](std::string& in, bool ended) { return take(in, ended); };
    server_ = std::move(*SocketServer::make("test", std::move(listener), protocol, limits_, clock_, log_));
  }
  std::optional<SocketServer::Answer> take(std::string& in, bool ended) {
    ended_ = ended;
    const std::size_t end = in.find(' ');
    if (end == std::string::npos) return std::nullopt;
    const std::string word = in.substr(0, end);
    in.erase(0, end + 1);
    words_.push_back(word);
    SocketServer::Answer answer;
    answer.bytes = word;
    answer.last = word == "bye";
    if (word == "wait") {
      answer.later = [this, alive = alive_] { return outcome_; };
      answer.last = true;
    }
    return answer;
  }
  void settle() {
    for (int i = 0; i < 100 && server_->step(clock_.mono()) <= clock_.mono(); ++i) {
    }
  }
  static void send(const Fd& client, const std::string& bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// What has come so far; "<closed>" at its end when nothing more will.
  static std::string received(const Fd& client) {
    std::string all(1024, '\0');
    const ssize_t got = ::recv(client.get(), all.data(), all.size(), 0);
    if (got < 0) return errno == EAGAIN ? "" : "<closed>";
    all.resize(static_cast<std::size_t>(got));
    return got == 0 ? "<closed>" : all + received(client);
  }

  FakeClock clock_;
  Log log_{LogLevel::kError, LogFormat::kText, clock_};
  SocketServer::Limits limits_;
  std::vector<std::string> words_;
  bool ended_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::optional<std::string> outcome_;
  FakeListener* listener_ = nullptr;
  std::unique_ptr<SocketServer> server_;
};

TEST_F(SocketServerTest, AnswersRequestAfterRequestAndClosesBehindTheLast) {
  serve();
  const Fd client = listener_->connect();
  send(client, "a b b");
  settle();
  EXPECT_EQ(received(client), "ab");
  send(client, "ye c ");
  settle();
  EXPECT_EQ(received(client), "bye<closed>");
  EXPECT_THAT(words_, ElementsAre("a", "b", "bye"));
}

TEST_F(SocketServerTest, TellsTheProtocolThatNothingMoreComes) {
  serve();
  const Fd client = listener_->connect();
  send(client, "half");
  settle();
  EXPECT_FALSE(ended_);
  ::shutdown(client.get(), SHUT_WR);
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(received(client), "<closed>");
}

TEST_F(SocketServerTest, ClosesBehindALastAnswerThatTookTime) {
  serve();
  const Fd client = listener_->connect();
  send(client, "wait a ");
  settle();
  EXPECT_EQ(received(client), "");
  outcome_ = "done";
  settle();
  EXPECT_EQ(received(client), "done<closed>");
}

TEST_F(SocketServerTest, ForgetsAnAnswerThatTakesTimeWithItsClient) {
  serve();
  {
    const Fd client = listener_->connect();
    send(client, "wait ");
    settle();
    EXPECT_EQ(alive_.use_count(), 2);
  }
  settle();
  EXPECT_EQ(alive_.use_count(), 1);
}

TEST_F(SocketServerTest, DropsWhoTakesTooLongOverARequest) {
  limits_.request = 5s;
  serve();
  const Fd client = listener_->connect();
  EXPECT_EQ(server_->step(clock_.mono()), clock_.mono() + 5s);
  clock_.advance(5s);
  send(client, "hal");
  settle();
  EXPECT_EQ(received(client), "<closed>");
  EXPECT_EQ(server_->counters().dropped_clients, 1);
}

TEST_F(SocketServerTest, GivesUpTheClientThatCameFirstWhereNobodyIsRefused) {
  limits_.clients = 2;
  serve();
  const Fd first = listener_->connect(), second = listener_->connect();
  settle();
  const Fd third = listener_->connect();
  settle();
  send(second, "b ");
  send(third, "c ");
  settle();
  EXPECT_EQ(received(first) + received(second) + received(third), "<closed>bc");
}

TEST_F(SocketServerTest, RefusesAClientTooManyWithAWord) {
  limits_.clients = 1;
  limits_.busy = "later";
  serve();
  const Fd first = listener_->connect();
  settle();
  const Fd second = listener_->connect();
  settle();
  send(first, "a ");
  settle();
  EXPECT_EQ(received(first) + received(second), "alater<closed>");
  EXPECT_EQ(server_->counters().refused_clients, 1);
}

TEST_F(SocketServerTest, TakesNoMoreConnectionsThanAreAllowedInATime) {
  limits_.between_connections = 10ms;
  serve();
  const Fd first = listener_->connect(), second = listener_->connect();
  send(first, "a ");
  send(second, "b ");
  EXPECT_EQ(server_->step(clock_.mono()), clock_.mono() + 10ms);
  EXPECT_EQ(received(first) + received(second), "a");
  clock_.advance(10ms);
  settle();
  EXPECT_EQ(received(second), "b");
}

TEST_F(SocketServerTest, GoesOnWithItsClientsWhileNothingListens) {
  serve();
  const Fd client = listener_->connect();
  settle();
  listener_->close();
  listener_->next = clock_.mono() + 1s;
  send(client, "a ");
  EXPECT_EQ(server_->step(clock_.mono()), clock_.mono() + 1s);
  EXPECT_EQ(received(client), "a");
  listener_->open();
  const Fd other = listener_->connect();
  send(other, "b ");
  settle();
  EXPECT_EQ(received(other), "b");
}

}  // namespace
}  // namespace metergate
