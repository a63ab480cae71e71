#include "agent/bus/bus_worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "drivers/profile/encode.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Not;

class BusWorkerTest : public ::testing::Test, public WorkerBench {
 protected:
  BusWorkerTest() : line_(clock_) {}

  void start() { WorkerBench::start(site_.bus, line_); }

  void give(const std::string& json) {
    auto parsed = parse_command(json);
    OpenCommand open;
    open.command = *std::get_if<Command>(&parsed);
    open.stored.id = open.command.id;
    open.stored.key = ++given_;
    open.stored.write = open.command.op == Command::Op::kWrite;
    open.stored.received = clock_.utc();
    open.arrived = clock_.mono();
    if (open.command.route) {
      open.plan.blocks = {*open.command.registers};
    } else {
      for (std::size_t i = 0; i < site_.bus.meters.size(); ++i) {
        if (site_.bus.meters[i].spec.id == open.command.meter) open.plan.meter = i;
      }
      const Profile& profile = site_.profile();
      if (open.stored.write) {
        open.plan.point = profile.find(open.command.point);
        open.plan.write = *encode(profile, *open.plan.point, open.command.value, {});
      } else {
        for (const std::string& p : open.command.points) open.plan.points.push_back(profile.find(p));
      }
    }
    open.plan.target = open.plan.meter.value_or(kRoutes);
    worker_->give(open);
  }
  void give_read(const std::string& id, const std::string& meter) {
    give(R"({"id":")" + id + R"(","op":"read","meter":")" + meter + R"(","points":["power"]})");
  }
  void give_write(const std::string& id, const std::string& point, Millis valid = Millis{600'000}) {
    give(R"({"id":")" + id + R"(","op":"write","meter":"m1","point":")" + point + R"(","value":1,"expires_at":")" +
         rfc3339(clock_.utc() + valid) + R"("})");
  }

  std::string code(std::size_t i) const { return text(*store_.results.at(i).find("error"), "code"); }
  std::size_t readings_of(const std::string& meter) const {
    return static_cast<std::size_t>(std::count_if(store_.readings.begin(), store_.readings.end(),
                                                  [&](const Json& r) { return text(r, "meter") == meter; }));
  }

  FakeBus line_;
  OneBus site_;
  std::int64_t given_ = 0;
  std::variant<Command, BadCommand> asked_on_the_spot_ = parse_command(
      R"({"id":"l","op":"read","route":{"bus":"rs485-1","unit":7},"registers":{"table":"input","address":5,"count":3}})");
};

TEST_F(BusWorkerTest, MakesAReadingOfWhatTheMeterAnswered) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power", "energy"});
  start();
  run(Millis{500});
  ASSERT_EQ(store_.readings.size(), 1u);
  const Json& reading = store_.readings[0];
  EXPECT_EQ(text(reading, "meter"), "m1");
  EXPECT_EQ(text(reading, "quality"), "good");
  EXPECT_EQ(text(reading, "catalog"), "0000cafe");
  EXPECT_EQ(reading.find("values")->find("power")->text, "10");
  EXPECT_EQ(reading.find("values")->find("energy")->text, std::to_string(100 * 65536 + 101));
  EXPECT_EQ(reading.find("span_ms")->text, "50");
  EXPECT_EQ(reading.find("slot"), nullptr);
}

TEST_F(BusWorkerTest, GivesEachPollItsOwnReadingFromSharedTransactions) {
  const auto m = site_.meter("m1", 1);
  site_.poll(m, seconds(10), {"power"});
  site_.poll(m, minutes(15), {"power", "energy"}, "billing");
  start();
  run(Millis{500});
  ASSERT_EQ(store_.readings.size(), 2u);
  EXPECT_EQ(line_.asked.size(), 2u);
  EXPECT_EQ(store_.readings[0].find("values")->find("energy"), nullptr);
  EXPECT_NE(store_.readings[1].find("values")->find("energy"), nullptr);
}

TEST_F(BusWorkerTest, TriesAgainWithinTheSlotAndThenTellsAPartialOrBadReadingOnce) {
  site_.poll(site_.meter("m1", 1, 0), seconds(40), {"power"});
  line_.silent = {"1"};
  start();
  run(seconds(12));
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(store_.readings[0], "quality"), "bad");
  EXPECT_EQ(text(*store_.readings[0].find("error"), "code"), "timeout");
  EXPECT_GE(line_.asked.size(), 4u);
}

TEST_F(BusWorkerTest, MakesAGoodReadingWhenARetryWithinTheSlotSucceeds) {
  site_.poll(site_.meter("m1", 1, 0), seconds(40), {"power"});
  line_.silent = {"1"};
  start();
  run(Millis{1100});
  line_.silent.clear();
  run(seconds(5));
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(store_.readings[0], "quality"), "good");
}

TEST_F(BusWorkerTest, TellsARefusedBlockAsMissingPointsAndKeepsTheRest) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power", "energy"});
  int n = 0;
  line_.on_read = [&](const std::string&) {
    line_.refuse.clear();
    if (++n == 2) line_.refuse["1"] = 2;
  };
  start();
  run(Millis{500});
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(store_.readings[0], "quality"), "partial");
  EXPECT_EQ(text(*store_.readings[0].find("errors")->find("energy"), "code"), "exception_2");
}

TEST_F(BusWorkerTest, TellsASilentMeterByOneEventAndNotByAReadingAPoll) {
  site_.poll(site_.meter("dead", 1), seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(10));
  const auto names = store_.names_of_events();
  EXPECT_EQ(std::count(names.begin(), names.end(), "meter_silent"), 1);
  EXPECT_LE(store_.readings.size(), 12u);
}

TEST_F(BusWorkerTest, GivesAllSilentMetersTogetherAtMostATwentiethOfTheTime) {
  for (int unit = 1; unit <= 5; ++unit) {
    site_.poll(site_.meter("dead" + std::to_string(unit), unit), seconds(1), {"power"});
    line_.silent.insert(std::to_string(unit));
  }
  site_.poll(site_.meter("m9", 9), seconds(1), {"power"});
  start();
  run(minutes(3));
  const auto before = line_.asked.size();
  const auto good_before = readings_of("m9");
  run(minutes(10));
  const auto of_silent =
      static_cast<std::size_t>(std::count_if(line_.asked.begin() + static_cast<std::ptrdiff_t>(before),
                                             line_.asked.end(), [](const std::string& unit) { return unit != "9"; }));
  EXPECT_LE(of_silent, 31u);  // 600 s, 1 s a try
  EXPECT_GE(of_silent, 5u);
  EXPECT_GE(readings_of("m9") - good_before, 590u);
}

TEST_F(BusWorkerTest, TakesAnExceptionForASignOfLife) {
  site_.poll(site_.meter("m1", 1), seconds(1), {"power"});
  line_.refuse = {{"1", 4}};
  start();
  run(minutes(2));
  EXPECT_THAT(store_.names_of_events(), Not(Contains("meter_silent")));
  EXPECT_GE(store_.readings.size(), 118u);
}

TEST_F(BusWorkerTest, TakesAGatewaysWordThatAMeterDoesNotAnswerForSilence) {
  for (const int exception : {10, 11}) {
    line_.refuse = {{"1", exception}};
    site_.bus.meters.clear();
    site_.bus.polls.clear();
    site_.poll(site_.meter("m" + std::to_string(exception), 1), seconds(1), {"power"});
    start();
    run(minutes(2));
    ASSERT_EQ(events("meter_silent").size(), exception == 10 ? 1u : 2u);
    EXPECT_EQ(text(events("meter_silent").back(), "code"), "exception_" + std::to_string(exception));
  }
}

TEST_F(BusWorkerTest, TakesAnExceptionForTheEndOfASilence) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(2));
  ASSERT_TRUE(worker_->state().meters[0].silent);
  line_.silent.clear();
  line_.refuse = {{"1", 4}};
  run(minutes(5));
  EXPECT_THAT(store_.names_of_events(), Contains("meter_back"));
  EXPECT_FALSE(worker_->state().meters[0].silent);
}

TEST_F(BusWorkerTest, ReadsAMeterAtOnceWhenItIsBack) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(2));
  line_.silent.clear();
  run(minutes(5));
  EXPECT_THAT(store_.names_of_events(), Contains("meter_back"));
  EXPECT_EQ(text(store_.readings.back(), "quality"), "good");
  EXPECT_FALSE(worker_->state().meters[0].silent);
}

TEST_F(BusWorkerTest, ShowsWhichPortTheBusHas) {
  TcpSettings socket;
  socket.host = "10.0.0.7";
  site_.bus.spec.settings.port = socket;
  start();
  EXPECT_EQ(worker_->state().name, "rs485-1");
  EXPECT_EQ(worker_->state().port, "10.0.0.7:502");
}

TEST_F(BusWorkerTest, TellsOnceThatAMeterIsNotTheModelOfItsProfile) {
  site_ = OneBus("identify = holding 400 u16 400\n");
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  line_.registers[400] = 7;
  start();
  run(minutes(1));
  const auto names = store_.names_of_events();
  EXPECT_EQ(std::count(names.begin(), names.end(), "profile_mismatch"), 1);
  EXPECT_EQ(text(*store_.events.front().find("detail"), "found"), "7");
  EXPECT_EQ(text(store_.readings.back(), "quality"), "good");
}

TEST_F(BusWorkerTest, FindsNothingWrongWithTheModelThatItsProfileDescribes) {
  site_ = OneBus("identify = holding 400 u16 400\n");
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  start();
  run(minutes(1));
  EXPECT_THAT(store_.names_of_events(), ::testing::IsEmpty());
  EXPECT_EQ(std::count(line_.blocks.begin(), line_.blocks.end(), (Block{Table::kHolding, 400, 1})), 1);
}

TEST_F(BusWorkerTest, AsksForTheModelOnceBehindEachPollUntilTheMeterTellsIt) {
  site_ = OneBus("identify = holding 400 u16 400\n");
  site_.poll(site_.meter("m1", 1, 0), seconds(10), {"power"});
  const Block model{Table::kHolding, 400, 1};
  line_.on_read = [&](const std::string&) {
    line_.silent.clear();
    if (line_.blocks.back() == model) line_.silent = {"1"};
  };
  start();
  run(minutes(1));
  EXPECT_EQ(std::count(line_.blocks.begin(), line_.blocks.end(), model),
            static_cast<std::ptrdiff_t>(store_.readings.size()));
  EXPECT_GE(store_.readings.size(), 6u);
  EXPECT_THAT(store_.names_of_events(), ::testing::IsEmpty());
}

TEST_F(BusWorkerTest, SurvivesAnUnpluggedPortAndTellsItOnce) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  start();
  run(seconds(5));
  line_.unplugged = true;
  run(minutes(5));
  line_.unplugged = false;
  run(minutes(1));
  const auto names = store_.names_of_events();
  EXPECT_EQ(std::count(names.begin(), names.end(), "bus_down"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "bus_up"), 1);
  const auto bad = std::count_if(store_.readings.begin(), store_.readings.end(),
                                 [](const Json& r) { return text(r, "quality") == "bad"; });
  EXPECT_EQ(bad, 1);
  EXPECT_EQ(text(store_.readings.back(), "quality"), "good");
}

TEST_F(BusWorkerTest, ExecutesACommandBeforeTheNextTransactionOfAPoll) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power", "energy"});
  site_.meter("m2", 2);
  bool given = false;
  line_.on_read = [&](const std::string&) {
    if (!std::exchange(given, true)) give_read("c1", "m2");
  };
  start();
  run(Millis{500});
  EXPECT_EQ(line_.asked, (std::vector<std::string>{"1", "2", "1"}));
  ASSERT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(text(store_.results[0], "status"), "done");
  EXPECT_EQ(store_.results[0].find("values")->find("power")->text, "10");
}

TEST_F(BusWorkerTest, LetsOnePollTransactionThroughAfterFourCommandsInARow) {
  site_.poll(site_.meter("m1", 1), Millis{0}, {"power"});
  site_.meter("m2", 2);
  start();
  for (int i = 0; i < 12; ++i) give_read("c" + std::to_string(i), "m2");
  run(Millis{700});
  EXPECT_EQ(line_.asked,
            (std::vector<std::string>{"2", "2", "2", "2", "1", "2", "2", "2", "2", "1", "2", "2", "2", "2"}));
}

TEST_F(BusWorkerTest, LetsAPollThroughThatFallsDueAfterMoreThanFourCommandsInARow) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  site_.meter("m2", 2);
  start();
  run(seconds(1));
  const Millis rest = seconds(10) - clock_.utc().time_since_epoch() % seconds(10);
  run(rest - Millis{290});
  line_.asked.clear();
  for (int i = 0; i < 20; ++i) give_read("c" + std::to_string(i), "m2");
  run(Millis{500});
  EXPECT_EQ(line_.asked, (std::vector<std::string>{"2", "2", "2", "2", "2", "2", "1", "2", "2", "2"}));
}

TEST_F(BusWorkerTest, AnswersARouteReadWithRawRegisters) {
  start();
  give(
      R"({"id":"r","op":"read","route":{"bus":"rs485-1","unit":7},"registers":{"table":"input","address":5,"count":3}})");
  run(Millis{200});
  ASSERT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(store_.results[0].find("registers")->items[2].text, "7");
  EXPECT_EQ(store_.results[0].find("route")->find("unit")->text, "7");
}

TEST_F(BusWorkerTest, AnswersWhatIsAskedOnTheSpotToTheOneWhoAskedAndToNobodyElse) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  start();
  std::vector<CommandResult> told;
  for (const bool silent : {false, true}) {
    if (silent) line_.silent = {"7"};
    OpenCommand open;
    open.command = *std::get_if<Command>(&asked_on_the_spot_);
    open.plan.blocks = {*open.command.registers};
    open.plan.stranger.address = "7";
    open.local = LocalClient{[&](const CommandResult& result) { told.push_back(result); }};
    EXPECT_TRUE(worker_->give_local(open));
    run(seconds(3));
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].registers, (Words{5, 6, 7}));
  EXPECT_EQ(told[0].took, line_.transaction);
  EXPECT_EQ(told[1].error->code, "timeout");
  EXPECT_EQ(std::count(line_.asked.begin(), line_.asked.end(), "7"), 2) << "each is tried once";
  EXPECT_TRUE(store_.results.empty());
}

TEST_F(BusWorkerTest, ExpiresACommandWhoseTurnComesTooLate) {
  site_.meter("m1", 1);
  start();
  give(R"({"id":"c","op":"read","meter":"m1","points":["power"],"expires_at":")" + rfc3339(clock_.utc() - Millis{1}) +
       "\"}");
  run(Millis{200});
  EXPECT_EQ(text(store_.results.at(0), "status"), "expired");
  EXPECT_TRUE(line_.asked.empty());
}

TEST_F(BusWorkerTest, ExecutesACommandUntilTheInstantAtWhichItExpires) {
  site_.meter("m1", 1);
  start();
  for (const Millis valid : {Millis{1}, Millis{0}}) {
    give(R"({"id":"c","op":"read","meter":"m1","points":["power"],"expires_at":")" + rfc3339(clock_.utc() + valid) +
         "\"}");
    worker_->step(clock_.mono());
  }
  EXPECT_EQ(text(store_.results.at(0), "status"), "done");
  EXPECT_EQ(text(store_.results.at(1), "status"), "expired");
}

TEST_F(BusWorkerTest, ExecutesAReadThoughItsTimeIsOverByAClockThatIsKnownToBeWrong) {
  site_.meter("m1", 1);
  built_ = clock_.utc() + std::chrono::hours(1);
  start();
  give(R"({"id":"c","op":"read","meter":"m1","points":["power"],"expires_at":")" + rfc3339(clock_.utc() - Millis{1}) +
       "\"}");
  run(Millis{200});
  EXPECT_EQ(text(store_.results.at(0), "status"), "done");
}

TEST_F(BusWorkerTest, FailsACommandToASilentMeterAfterOneTryAndOneIn2Seconds) {
  site_.poll(site_.meter("m1", 1), seconds(1), {"power"});
  line_.silent = {"1"};
  start();
  run(minutes(5));
  line_.asked.clear();
  for (int i = 0; i < 3; ++i) give_read("c" + std::to_string(i), "m1");
  run(Millis{7000});
  ASSERT_EQ(store_.results.size(), 3u);
  EXPECT_EQ(code(0), "timeout");
  EXPECT_LE(line_.asked.size(), 4u);  // three tries and at most one probe
  const auto started = [this](std::size_t i) { return *parse_rfc3339(text(store_.results[i], "started_at")); };
  EXPECT_EQ(started(1) - started(0), seconds(2));
  EXPECT_EQ(started(2) - started(1), seconds(2));
}

TEST_F(BusWorkerTest, FailsACommandAtOnceWhenThePortIsGone) {
  site_.meter("m1", 1);
  line_.unplugged = true;
  start();
  give_read("c", "m1");
  run(seconds(2));
  ASSERT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(code(0), "bus_down");
}

TEST_F(BusWorkerTest, MarksAWriteDurablyBeforeItsFirstByteAndReadsItBack) {
  site_.meter("m1", 1);
  bool marked_first = false;
  line_.on_write = [&](const Write& w) {
    marked_first = store_.marked.size() == 1;
    line_.registers[w.address] = w.values[0];
  };
  start();
  give_write("w", "relay");
  run(seconds(2));
  EXPECT_TRUE(marked_first);
  ASSERT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(text(store_.results[0], "status"), "done");
  EXPECT_EQ(text(*store_.results[0].find("values"), "relay"), "on");
}

TEST_F(BusWorkerTest, SendsNoWriteThatTheStoreCouldNotMark) {
  site_.meter("m1", 1);
  store_.started_fails = Error{Errc::kStorage, "disk", 0};
  start();
  give_write("w", "limit", seconds(5));
  run(seconds(10));
  EXPECT_TRUE(line_.writes.empty());
  EXPECT_EQ(text(store_.results.at(0), "status"), "expired");
}

TEST_F(BusWorkerTest, FailsAWriteWhoseReadBackShowsAnotherValue) {
  site_.meter("m1", 1);
  line_.registers[200] = 0;
  start();
  give_write("w", "relay");
  run(seconds(2));
  EXPECT_EQ(text(store_.results.at(0), "status"), "failed");
  EXPECT_EQ(code(0), "not_verified");
}

TEST_F(BusWorkerTest, LeavesAnUnansweredWriteUnknownAndNeverSendsItTwice) {
  site_.meter("m1", 1);
  line_.write_status = Error{Errc::kTimeout, "no answer", 0};
  start();
  give_write("w", "limit");
  run(seconds(30));
  EXPECT_EQ(line_.writes.size(), 1u);
  EXPECT_EQ(text(store_.results.at(0), "status"), "unknown");
  EXPECT_EQ(code(0), "timeout");
}

TEST_F(BusWorkerTest, TakesAnUnansweredWriteAsDoneWhenTheReadBackProvesIt) {
  site_.meter("m1", 1);
  line_.write_status = Error{Errc::kTimeout, "no answer", 0};
  line_.registers[200] = 1;
  start();
  give_write("w", "relay");
  run(seconds(3));
  EXPECT_EQ(text(store_.results.at(0), "status"), "done");
}

TEST_F(BusWorkerTest, LeavesAWriteUnknownWhoseEchoIsRightAndWhoseReadBackFails) {
  site_.meter("m1", 1, 0);
  line_.refuse = {{"1", 4}};
  start();
  give_write("w", "relay");
  run(seconds(3));
  EXPECT_EQ(text(store_.results.at(0), "status"), "unknown");
  EXPECT_EQ(code(0), "verify_failed");
  EXPECT_EQ(text(*store_.results[0].find("readback"), "code"), "exception_4");
}

TEST_F(BusWorkerTest, TellsBothTheEchoAndTheReadBackOfAWriteThatFailed) {
  site_.meter("m1", 1, 0);
  line_.write_status = Error{Errc::kCrc, "damaged", 0};
  line_.silent = {"1"};
  start();
  give_write("w", "relay");
  run(seconds(5));
  EXPECT_EQ(text(store_.results.at(0), "status"), "unknown");
  EXPECT_EQ(code(0), "crc");
  EXPECT_EQ(text(*store_.results[0].find("readback"), "code"), "timeout");
}

TEST_F(BusWorkerTest, LeavesAWriteUnknownThatAGatewayGotNoAnswerTo) {
  site_.meter("m1", 1);
  line_.write_status = Error{Errc::kException, "no answer", 11};
  start();
  give_write("w1", "limit");
  run(seconds(1));
  line_.write_status = Error{Errc::kException, "no path", 10};
  give_write("w2", "limit");
  run(seconds(1));
  EXPECT_EQ(text(store_.results.at(0), "status"), "unknown");
  EXPECT_EQ(code(0), "exception_11");
  EXPECT_EQ(text(store_.results.at(1), "status"), "failed");
}

TEST_F(BusWorkerTest, LetsAPollThatWasBegunHaveWhatACommandReads) {
  site_.meter("m1", 1);
  site_.poll(0, seconds(10), {"power", "energy"});
  line_.registers = {{10, 5}, {100, 0}, {101, 7}};
  start();
  worker_->step(clock_.mono());
  give(R"({"id":"c","op":"read","meter":"m1","points":["energy"]})");
  run(seconds(1));
  EXPECT_EQ(std::count(line_.blocks.begin(), line_.blocks.end(), (Block{Table::kHolding, 100, 2})), 1);
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(store_.readings[0], "quality"), "good");
  EXPECT_EQ(store_.readings[0].find("values")->find("energy")->text, "7");
  EXPECT_EQ(store_.results.at(0).find("values")->find("energy")->text, "7");
}

TEST_F(BusWorkerTest, GivesRegistersToAQuestionOnTheSpotAlsoOfAConfiguredMeter) {
  site_.meter("m1", 1);
  line_.registers = {{10, 5}};
  start();
  OpenCommand open;
  open.command.route = Route{"rs485-1", 1, ""};
  open.plan.blocks = {Block{Table::kHolding, 10, 1}};
  open.plan.meter = 0;
  CommandResult told;
  open.local = LocalClient{[&told](const CommandResult& result) { told = result; }};
  EXPECT_TRUE(worker_->give_local(open));
  run(seconds(1));
  EXPECT_EQ(told.status, "done");
  EXPECT_EQ(told.registers, Words{5});
  EXPECT_TRUE(store_.results.empty());
}

TEST_F(BusWorkerTest, FailsAWriteThatTheMeterRefused) {
  site_.meter("m1", 1);
  line_.write_status = Error{Errc::kException, "illegal value", 3};
  start();
  give_write("w", "limit");
  run(seconds(1));
  EXPECT_EQ(text(store_.results.at(0), "status"), "failed");
  EXPECT_EQ(code(0), "exception_3");
}

TEST_F(BusWorkerTest, LetsAWriteWaitFiveMinutesForATrustedClockWhileReadsPass) {
  site_.meter("m1", 1);
  clock_.set_synced(false);
  start();
  give_write("w", "limit");
  give_read("c", "m1");
  run(seconds(10));
  ASSERT_EQ(store_.results.size(), 1u);
  EXPECT_EQ(text(store_.results[0], "command"), "c");
  EXPECT_EQ(log_.count("a write waits up to 5 min for a clock"), 1);
  EXPECT_EQ(log_.count("command=w"), 1);
  run(minutes(6));
  ASSERT_EQ(store_.results.size(), 2u);
  EXPECT_EQ(code(1), "clock_unsynced");
  EXPECT_TRUE(line_.writes.empty());
}

TEST_F(BusWorkerTest, RejectsWritesWhileAnotherGatewayUsesTheId) {
  site_.meter("m1", 1);
  writes_allowed_ = false;
  start();
  give_write("w", "limit");
  run(seconds(1));
  EXPECT_EQ(code(0), "id_in_use");
  EXPECT_TRUE(line_.writes.empty());
}

TEST_F(BusWorkerTest, LendsItsPortBetweenTwoTransactionsAndTakesItBackWhenTheTimeIsOver) {
  site_.poll(site_.meter("m1", 1), Millis{0}, {"power"});
  start();
  run(seconds(1));
  pause_->begin(minutes(30));
  EXPECT_FALSE(pause_->granted());
  worker_->step(clock_.mono());
  EXPECT_TRUE(pause_->granted());
  EXPECT_FALSE(line_.is_open());
  EXPECT_TRUE(worker_->state().paused_until);
  const auto asked = line_.asked.size();
  run(minutes(29));
  EXPECT_EQ(line_.asked.size(), asked);
  run(minutes(2));
  EXPECT_GT(line_.asked.size(), asked);
  EXPECT_FALSE(worker_->state().paused_until);
  EXPECT_EQ(store_.names_of_events(), (std::vector<std::string>{"bus_paused", "bus_resumed"}));
  EXPECT_EQ(text(*store_.events.at(1).find("detail"), "why"), "time");
}

TEST_F(BusWorkerTest, TakesItsPortBackAtOnceWhenAsked) {
  site_.poll(site_.meter("m1", 1), seconds(1), {"power"});
  start();
  run(Millis{1500});
  pause_->begin(minutes(30));
  run(seconds(10));
  EXPECT_TRUE(pause_->end());
  worker_->step(clock_.mono());
  EXPECT_TRUE(line_.is_open());
  EXPECT_EQ(text(*store_.events.back().find("detail"), "why"), "asked");
  EXPECT_FALSE(pause_->end());
}

TEST_F(BusWorkerTest, TellsTheSlotsOfAPauseAsMissedOnceAMinuteAndMakesNoReadingOfThem) {
  site_.poll(site_.meter("m1", 1), seconds(1), {"power"});
  start();
  run(Millis{1500});
  const auto readings = store_.readings.size();
  pause_->begin(minutes(5));
  run(minutes(5) - seconds(1));
  EXPECT_EQ(store_.readings.size(), readings);
  run(minutes(2));
  std::int64_t missed = 0, told = 0;
  for (const Json& event : store_.events) {
    if (text(event, "event") != "slots_missed") continue;
    EXPECT_EQ(text(*event.find("detail"), "reason"), "pause");
    missed += *event.find("detail")->find("count")->as_integer(1, 1000);
    ++told;
  }
  EXPECT_NEAR(static_cast<double>(missed), 300, 2);
  EXPECT_LE(told, 7);
  EXPECT_THAT(store_.names_of_events(), Not(Contains("bus_overloaded")));
  EXPECT_EQ(worker_->state().slots_wanted, worker_->state().slots_kept);
  EXPECT_FALSE(worker_->state().overloaded);
  EXPECT_THAT(store_.names_of_events(), Not(Contains("bus_down")));
  EXPECT_THAT(store_.names_of_events(), Not(Contains("bus_up")));
}

TEST_F(BusWorkerTest, FailsCommandsWhileItsPortIsLent) {
  site_.meter("m1", 1);
  start();
  run(seconds(1));
  pause_->begin(minutes(1));
  give_read("c", "m1");
  run(seconds(1));
  EXPECT_EQ(text(store_.results.at(0), "status"), "failed");
  EXPECT_EQ(code(0), "bus_paused");
  EXPECT_TRUE(line_.asked.empty());
}

TEST_F(BusWorkerTest, LeavesAWriteUnknownThatAPauseKeepsFromBeingReadBack) {
  site_.meter("m1", 1);
  start();
  line_.on_write = [this](const Write&) { pause_->begin(minutes(1)); };
  give_write("w", "relay");
  run(seconds(2));
  EXPECT_EQ(text(store_.results.at(0), "status"), "unknown");
  EXPECT_EQ(code(0), "verify_failed");
  EXPECT_EQ(text(*store_.results[0].find("readback"), "code"), "bus_paused");
}

TEST_F(BusWorkerTest, EndsABegunPollWithWhatItHasWhenItsPortIsLent) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power", "energy"});
  start();
  line_.on_read = [this](const std::string&) {
    if (line_.asked.size() == 1) pause_->begin(minutes(1));
  };
  run(seconds(1));
  ASSERT_EQ(store_.readings.size(), 1u);
  EXPECT_EQ(text(store_.readings[0], "quality"), "partial");
  EXPECT_EQ(text(*store_.readings[0].find("errors")->find("energy"), "code"), "bus_paused");
}

TEST_F(BusWorkerTest, GoesOnWithAPauseAfterARestart) {
  site_.poll(site_.meter("m1", 1), seconds(1), {"power"});
  start();
  run(seconds(2));
  pause_->begin(minutes(10));
  run(minutes(4));
  line_.close();
  line_.asked.clear();
  start();
  run(minutes(5));
  EXPECT_TRUE(line_.asked.empty());
  run(minutes(2));
  EXPECT_FALSE(line_.asked.empty());
}

TEST_F(BusWorkerTest, TellsMissedSlotsOnceAMinuteWhenTheLineIsTooSlow) {
  for (int unit = 1; unit <= 40; ++unit) {
    site_.poll(site_.meter("m" + std::to_string(unit), unit), seconds(1), {"power"});
  }
  start();
  run(minutes(5));
  const auto names = store_.names_of_events();
  EXPECT_THAT(names, Contains("bus_overloaded"));
  const auto told = std::count(names.begin(), names.end(), "slots_missed");
  EXPECT_GE(told, 40);
  EXPECT_LE(told, 40 * 6);
  for (int unit = 1; unit <= 40; ++unit)
    EXPECT_NEAR(static_cast<double>(readings_of("m" + std::to_string(unit))), 150, 6);
  const BusState state = worker_->state();
  EXPECT_NEAR(static_cast<double>(state.slots_wanted), 40 * 300, 40);
  EXPECT_NEAR(static_cast<double>(state.slots_kept), 40 * 150, 200);
}

TEST_F(BusWorkerTest, TellsAllMissedSlotsAtTheLatestAtItsEnd) {
  for (int unit = 1; unit <= 40; ++unit) {
    site_.poll(site_.meter("m" + std::to_string(unit), unit), seconds(1), {"power"});
  }
  start();
  run(seconds(90));
  worker_->finish();
  events_.finish();
  std::int64_t told = 0;
  for (const Json& missed : events("slots_missed")) told += *missed.find("count")->as_integer(1, 1000);
  const BusState state = worker_->state();
  EXPECT_EQ(told, state.slots_wanted - state.slots_kept);
}

TEST_F(BusWorkerTest, TellsASecondMasterOnceWhenMoreThanTenOfItsFramesAreHeardInAMinute) {
  site_.poll(site_.meter("m1", 1), seconds(10), {"power"});
  line_.on_read = [this](const std::string&) { ++line_.counted.foreign_frames; };  // six a minute
  start();
  run(minutes(5));
  EXPECT_THAT(store_.names_of_events(), Not(Contains("second_master")));

  line_.on_read = [this](const std::string&) { line_.counted.foreign_frames += 2; };
  run(minutes(5));

  const auto names = store_.names_of_events();
  EXPECT_EQ(std::count(names.begin(), names.end(), "second_master"), 1);
  EXPECT_TRUE(worker_->state().second_master);

  line_.on_read = nullptr;
  run(minutes(3));
  EXPECT_FALSE(worker_->state().second_master);
}

TEST_F(BusWorkerTest, GivesUpEarlyOnlyARequestThatItAsksAgain) {
  site_.poll(site_.meter("m1", 1, 2), seconds(40), {"power"});
  line_.silent = {"1"};
  start();
  run(Millis{3100});

  EXPECT_THAT(line_.asked_again, ::testing::ElementsAre(true, true, false));
}

TEST_F(BusWorkerTest, NeverGivesUpACommandsRequestEarly) {
  site_.meter("m1", 1);
  start();
  give_read("c1", "m1");
  run(seconds(1));

  EXPECT_THAT(line_.asked_again, ::testing::ElementsAre(false));
}

TEST_F(BusWorkerTest, PlansAgainWhenTheMeterProvesSlow) {
  OneBus holes("", "1000");
  SerialSettings line;
  line.baud = 9600;
  holes.bus.spec.settings.port = line;
  const auto m = holes.meter("m1", 1);
  holes.bus.meters[m].cost = plan_cost(holes.bus.spec.settings, Target{}, Millis{20});
  holes.poll(m, seconds(10), {"power", "energy"});
  site_.bus = holes.bus;
  start();
  run(seconds(5));
  EXPECT_EQ(line_.blocks.size(), 2u);

  line_.measured = Turnaround{Millis{250}, Millis{300}, Millis{600}};
  line_.blocks.clear();
  run(seconds(9));
  EXPECT_EQ(line_.blocks, (std::vector<Block>{{Table::kHolding, 10, 92}}));
}

}  // namespace
}  // namespace metergate
