#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "agent/base/fd.h"
#include "tests/wire/uplink_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class StdoutTest : public ::testing::Test {
 protected:
  StdoutTest() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    out = Fd(ends[0]);
    in = Fd(ends[1]);
    connector = make_stdout_connector(in.get());
    connection = connector->make(told);
    connection->start();
  }
  /// What is in the pipe now.
  std::string read_all() {
    std::string all;
    pollfd p{out.get(), POLLIN, 0};
    while (::poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0) {
      char buffer[4096];
      const ssize_t n = ::read(out.get(), buffer, sizeof buffer);
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }

  Fd out{-1}, in{-1};
  NotedListener told;
  std::unique_ptr<Connector> connector;
  std::unique_ptr<Connection> connection;
};

TEST_F(StdoutTest, WritesARecordALineAndAcknowledgesItWhenWritten) {
  EXPECT_TRUE(connector->records_only());
  EXPECT_TRUE(told.connected);
  EXPECT_TRUE(connection->publish(1, {"metergate//readings", "{\"n\":1}", false}));
  EXPECT_TRUE(connection->publish(2, {"metergate//events", "{\"n\":2}", false}));

  EXPECT_EQ(read_all(), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(told.acked, (std::set<Handle>{1, 2}));
}

TEST_F(StdoutTest, NeitherBlocksNorTearsALineWhenTheReaderIsSlow) {
  const std::string record(200'000, 'x');  // more than a pipe holds
  EXPECT_TRUE(connection->publish(1, {"", record, false}));
  EXPECT_TRUE(told.acked.empty());
  EXPECT_FALSE(connection->publish(2, {"", "{}", false}));
  EXPECT_LE(connection->pace(), 100ms);
  std::string got;
  for (int i = 0; i < 10; ++i) {
    got += read_all();
    connection->step();
  }

  EXPECT_EQ(got, record + "\n");
  EXPECT_EQ(told.acked, std::set<Handle>{1});
  EXPECT_TRUE(connection->publish(2, {"", "{}", false}));
}

TEST_F(StdoutTest, TellsOnceThatTheReaderIsGoneAlsoWhenThereIsNothingToWrite) {
  connection->step();
  EXPECT_EQ(told.lost, 0);
  out = Fd{};
  EXPECT_LE(connection->pace(), 1s);
  connection->step();
  connection->step();

  EXPECT_EQ(told.lost, 1);
  EXPECT_THAT(told.why, HasSubstr("the reader is gone"));
  EXPECT_FALSE(connection->publish(1, {"", "{}", false}));
  EXPECT_TRUE(told.acked.empty());
}

TEST_F(StdoutTest, TellsADiskThatIsFull) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto other = make_stdout_connector(full.get());
  NotedListener heard;
  const auto disk = other->make(heard);
  disk->start();
  disk->publish(1, {"", "{}", false});

  EXPECT_EQ(heard.lost, 1);
  EXPECT_THAT(heard.why, HasSubstr("No space left"));
}

}  // namespace
}  // namespace metergate
