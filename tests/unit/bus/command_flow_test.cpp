#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/command/dispatcher.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Commands from the inbox to a bus with the meters m1 (which every test may silence) and m2.
class CommandFlowTest : public ::testing::Test, public WorkerBench {
 protected:
  CommandFlowTest() : line_(clock_) {
    bus_.meter("m1", 1);
    bus_.meter("m2", 2);
  }

  void start() {
    site_.buses.push_back(bus_.bus);
    WorkerBench::start(site_.buses[0], line_);
    Dispatcher::Parts parts;
    parts.site = &site_;
    parts.inbox = &store_;
    parts.parsed = &parsed_;
    parts.clock = &clock_;
    parts.sinks["rs485-1"] = worker_.get();
    dispatcher_ = std::make_unique<Dispatcher>(std::move(parts));
  }
  void run(Nanos time) {
    const MonoTime end = clock_.mono() + time;
    while (clock_.mono() < end) {
      dispatcher_->changed("rs485-1");
      const MonoTime dispatch = dispatcher_->step(clock_.mono());
      const MonoTime next = std::min(dispatch, worker_->step(clock_.mono()));
      if (next > clock_.mono()) clock_.sleep_until(std::min(next, end));
    }
  }

  void give(const std::string& id, const std::string& rest, bool write = false) {
    StoredCommand stored;
    stored.id = id;
    stored.bus = "rs485-1";
    stored.write = write;
    stored.received = clock_.utc();
    stored.body = R"({"id":")" + id + "\"," + rest + "}";
    EXPECT_TRUE(store_.admit(stored, std::nullopt));
  }
  void give_read(const std::string& id, const std::string& meter, std::optional<Millis> valid = {}) {
    const std::string expires = valid ? R"(,"expires_at":")" + rfc3339(clock_.utc() + *valid) + "\"" : "";
    give(id, R"("op":"read","meter":")" + meter + R"(","points":["power"])" + expires);
  }
  void give_write(const std::string& id, const std::string& meter, const std::string& point) {
    give(id,
         R"("op":"write","meter":")" + meter + R"(","point":")" + point + R"(","value":1,"expires_at":")" +
             rfc3339(clock_.utc() + minutes(10)) + "\"",
         true);
  }
  void give_many(int count, const std::string& meter, std::optional<Millis> valid = {}) {
    for (int i = 0; i < count; ++i) give_read(meter + "-" + std::to_string(i), meter, valid);
  }
  OpenCommand local_read(int unit, std::vector<CommandResult>* told) {
    const auto parsed =
        parse_command(R"({"id":"l","op":"read","route":{"bus":"rs485-1","unit":)" + std::to_string(unit) +
                      R"(},"registers":{"table":"holding","address":5,"count":1}})");
    OpenCommand open;
    open.command = *std::get_if<Command>(&parsed);
    open.plan = std::get<CommandPlan>(plan_command(site_, open.command));
    open.arrived = clock_.mono();
    open.local = LocalClient{[told](const CommandResult& result) { told->push_back(result); }};
    return open;
  }

  const Json* result(const std::string& id) const {
    for (const Json& r : store_.results) {
      if (text(r, "command") == id) return &r;
    }
    return nullptr;
  }
  std::size_t ended(const std::string& status) const {
    return static_cast<std::size_t>(std::count_if(store_.results.begin(), store_.results.end(),
                                                  [&](const Json& r) { return text(r, "status") == status; }));
  }

  FakeBus line_;
  OneBus bus_;
  Site site_;
  ParsedCommands parsed_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(CommandFlowTest, AnswersAHealthyMeterAtOnceHoweverManyCommandsWaitForASilentOne) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  give_many(200, "m1");
  run(seconds(1));
  give_read("c", "m2");
  run(Millis{1200});
  ASSERT_NE(result("c"), nullptr);
  EXPECT_EQ(text(*result("c"), "status"), "done");
}

TEST_F(CommandFlowTest, KeepsAHealthyMetersCommandsGoingBesideASilentOneThatGetsOneASecond) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  for (int i = 0; i < 180; ++i) {
    give_read("dead-" + std::to_string(i), "m1", seconds(10));
    give_read("well-" + std::to_string(i), "m2", seconds(10));
    run(seconds(1));
  }
  run(seconds(11));
  EXPECT_EQ(ended("done"), 180u);
  EXPECT_EQ(store_.results.size(), 360u);
}

TEST_F(CommandFlowTest, AnswersAHealthyMeterSoonThoughADeadOneIsNotPolledAndSoNeverKnownAsSilent) {
  line_.silent = {"1"};
  start();
  give_many(100, "m1");
  run(seconds(5));
  for (int i = 0; i < 10; ++i) {
    give_read("c" + std::to_string(i), "m2");
    run(Millis{1100} + line_.timeout);
    EXPECT_NE(result("c" + std::to_string(i)), nullptr) << i;
  }
}

TEST_F(CommandFlowTest, GivesADeadMeterAtMostHalfOfTheTimeThatOthersWantThoughItsTimeoutIsLong) {
  line_.silent = {"1"};
  line_.timeout = seconds(3);
  start();
  give_many(100, "m1");
  run(seconds(7));
  give_many(200, "m2");
  run(seconds(24));
  EXPECT_GE(ended("done"), 190u);
}

TEST_F(CommandFlowTest, CountsCommandsThatTheBusHasNoRoomForAsWaiting) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  give_many(50, "m1");
  give_read("c", "m2");
  run(seconds(2));
  EXPECT_LE(worker_->state().commands_waiting, 16);
  EXPECT_EQ(static_cast<std::size_t>(worker_->state().commands_waiting) + dispatcher_->waiting("rs485-1"),
            51 - store_.results.size());
  EXPECT_EQ(dispatcher_->waiting("another"), 0u);
}

TEST_F(CommandFlowTest, AsksASilentMeterNotTwiceInARowForAProbeAndACommand) {
  bus_.poll(0, seconds(1), {"power"});
  bus_.poll(1, seconds(1), {"power"});
  line_.silent = {"1"};
  line_.timeout = seconds(3);
  start();
  run(minutes(1));
  std::vector<MonoTime> tries;
  line_.on_read = [&](const std::string& address) {
    if (address != "1") return;
    if (tries.empty()) give_read("c", "m1");  // while a probe is under way
    tries.push_back(clock_.mono());
  };
  run(minutes(3));
  ASSERT_GE(tries.size(), 2u);
  EXPECT_NE(result("c"), nullptr);
  for (std::size_t i = 1; i < tries.size(); ++i) EXPECT_GE(tries[i] - tries[i - 1], 2 * line_.timeout) << i;
}

TEST_F(CommandFlowTest, TreatsAnUnknownUnitAsItTreatsAMeter) {
  line_.silent = {"9"};
  start();
  for (int i = 0; i < 100; ++i) {
    give("r" + std::to_string(i),
         R"("op":"read","route":{"bus":"rs485-1","unit":9},"registers":{"table":"holding","address":0,"count":1})");
  }
  run(seconds(5));
  give_read("c", "m2");
  run(Millis{2100});
  EXPECT_NE(result("c"), nullptr);
}

TEST_F(CommandFlowTest, ReadsWhileAnyNumberOfWritesWaitsForAClock) {
  clock_.set_synced(false);
  start();
  for (int i = 0; i < 70; ++i) give_write("w" + std::to_string(i), "m1", "limit");
  run(seconds(1));
  give_read("c1", "m1");
  give_read("c2", "m2");
  run(seconds(1));
  EXPECT_NE(result("c1"), nullptr);
  EXPECT_NE(result("c2"), nullptr);
  EXPECT_EQ(store_.results.size(), 2u);
  clock_.set_synced(true);
  run(seconds(10));
  EXPECT_EQ(ended("done"), 72u);
}

TEST_F(CommandFlowTest, ExecutesTheCommandsOfABusInTheOrderOfTheirArrival) {
  start();
  std::vector<std::string> given;
  for (int i = 0; i < 60; ++i) {
    given.push_back("c" + std::to_string(i));
    give_read(given.back(), i % 3 == 0 ? "m2" : "m1");
  }
  run(seconds(10));
  std::vector<std::string> executed;
  for (const Json& r : store_.results) executed.push_back(text(r, "command"));
  EXPECT_EQ(executed, given);
}

TEST_F(CommandFlowTest, EndsWhatExpiresAtItsTimeHoweverManyWaitBeforeIt) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  give_many(300, "m1", seconds(10));
  run(seconds(9));
  EXPECT_LE(store_.results.size(), 5u);
  run(seconds(3));
  EXPECT_EQ(store_.results.size(), 300u);
  EXPECT_GE(ended("expired"), 295u);
}

TEST_F(CommandFlowTest, LetsOthersPassAWriteThatWaitsToBeReadBack) {
  start();
  line_.registers[200] = 1;
  give_write("w", "m1", "relay");  // read back after 500 ms
  give_read("same", "m1");
  give_read("other", "m2");
  run(Millis{300});
  EXPECT_NE(result("other"), nullptr);
  EXPECT_EQ(result("same"), nullptr) << "the commands of one meter stay in their order";
  run(seconds(1));
  EXPECT_EQ(text(*result("w"), "status"), "done");
  EXPECT_NE(result("same"), nullptr);
}

TEST_F(CommandFlowTest, TakesSixteenLocalRequestsAndThenIsBusy) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  std::vector<CommandResult> told;
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(worker_->give_local(local_read(1, &told))) << i;
  EXPECT_FALSE(worker_->give_local(local_read(2, &told)));
  give_read("c", "m2");
  run(Millis{1200});
  EXPECT_NE(result("c"), nullptr) << "local requests count in no other bound";
  run(minutes(1));
  EXPECT_EQ(told.size(), 16u);
  EXPECT_TRUE(worker_->give_local(local_read(2, &told)));
}

TEST_F(CommandFlowTest, DropsALocalRequestWhoseClientHasGone) {
  start();
  std::vector<CommandResult> told;
  for (int i = 0; i < 20'000; ++i) {
    OpenCommand open = local_read(2, &told);
    open.local->gone = [] { return true; };
    worker_->give_local(open);
  }
  EXPECT_LE(worker_->state().commands_waiting, 16);
  run(seconds(1));
  EXPECT_TRUE(line_.asked.empty());
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(worker_->state().commands_waiting, 0);
}

TEST_F(CommandFlowTest, AsksAMeterForALocalReadAsItsPollsDo) {
  bus_.poll(0, seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(1));
  std::vector<CommandResult> told;
  worker_->give_local(local_read(1, &told));
  worker_->give_local(local_read(1, &told));
  run(Millis{1100});
  EXPECT_EQ(told.size(), 1u) << "a silent meter gets one in 2 s";
}

}  // namespace
}  // namespace metergate
