#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

/// A child process works on the store and says on a pipe what it was told is durable, until it is killed.
class KillTest : public StoreTest {
 protected:
  /// Kills the child so long after its acknowledgement number `least`, on a slow machine, too. Gives the number of all.
  int work_and_die(int round, int least, Millis more) {
    int pipe_fds[2];
    if (::pipe(pipe_fds) != 0) return -1;
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_fds[0]);
      work(round, pipe_fds[1]);
      ::_exit(1);
    }
    ::close(pipe_fds[1]);
    char buffer[4096];
    int acknowledged = 0;
    while (acknowledged < least && ::read(pipe_fds[0], buffer, 1) == 1) ++acknowledged;
    SystemClock clock;
    clock.sleep_until(clock.mono() + more);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
    ssize_t got = 0;
    while ((got = ::read(pipe_fds[0], buffer, sizeof buffer)) > 0) acknowledged += static_cast<int>(got);
    ::close(pipe_fds[0]);
    return acknowledged;
  }

  void work(int round, int out) {
    auto opened = try_open();
    if (!opened) ::_exit(2);
    FileStore& store = **opened;
    FileStore::Hooks hooks;
    hooks.work = [&] { store.step(clock_.mono()); };
    if (!store.begin("r" + std::to_string(round), event("started"), hooks)) ::_exit(3);
    for (int i = 0; i < 1000000; ++i) {
      const std::string name = std::to_string(round) + "." + std::to_string(i);
      store.append({reading("r" + name + std::string(400, 'x'), i % 3 == 0)});
      const auto admitted = store.admit(command("c" + name), std::nullopt);  // commits the reading, too
      if (!admitted || ::write(out, ".", 1) != 1) ::_exit(4);
      if (i % 2 == 0) store.complete(admitted->key, result("a" + name));
      if (i % 10 == 0) store.delivered(Lane::kResults, admitted->key);
    }
  }
};

TEST_F(KillTest, LosesNothingThatItAcknowledgedHoweverOftenItIsKilled) {
  std::map<int, int> acknowledged;
  for (int round = 0; round < 40; ++round) {
    acknowledged[round] = work_and_die(round, round % 4 * round / 8, Millis{5 + round});
    ASSERT_GE(acknowledged[round], 0);
  }
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
  std::map<std::string, std::int64_t> readings;
  for (const Row& row : rows(Lane::kReadings)) {
    EXPECT_EQ(row.seq, ++readings[row.epoch]) << "a hole or a repeat in epoch " << row.epoch;
  }
  int total = 0;
  for (const auto& [round, count] : acknowledged) {
    EXPECT_GE(readings["r" + std::to_string(round)], count) << "round " << round;
    total += count;
    for (int i = 0; i < count; ++i) {
      EXPECT_NE(admit("c" + std::to_string(round) + "." + std::to_string(i)).known, Known::kNew);
    }
  }
  EXPECT_GT(total, 100) << "too little was done to prove anything";
}

TEST_F(KillTest, WouldNoticeAnAcknowledgementThatCameTooEarly) {
  const int acknowledged = work_and_die(0, 20, Millis{5});
  ASSERT_GT(acknowledged, 10);
  open();
  // What was not admitted is not known: the check above can fail.
  EXPECT_EQ(admit("c0." + std::to_string(acknowledged + 1)).known, Known::kNew);
  EXPECT_EQ(admit("c0." + std::to_string(acknowledged - 1)).known == Known::kNew, false);
}

}  // namespace
}  // namespace metergate
