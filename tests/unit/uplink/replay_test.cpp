#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "tests/unit/uplink/forwarder_fixture.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReplayTest : public ForwarderTest {
 protected:
  void SetUp() override {
    settings.uplink.batch = 2;
    start();
    connect();
    connector.published.clear();
  }
  void ask(const std::string& id, const std::string& more = {}) { give(replayer, id, more); }
  /// Likewise, after a restart().
  void ask_next(const std::string& id, const std::string& more) { give(*next_replayer, id, more); }
  void give(Replayer& to, const std::string& id, const std::string& more) {
    const auto parsed =
        parse_command(R"({"id":")" + id + R"(","op":"replay","epoch":"e0","from_seq":1,"to_seq":99)" + more + "}");
    OpenCommand open;
    open.command = std::get<Command>(parsed);
    open.stored.key = ++last_key;
    open.stored.id = id;
    open.stored.received = clock.utc();
    given.push_back(open);
    to.give(open);
    look();
  }
  void look() {
    do settle();
    while (next <= clock.mono());
  }
  void ack_and_look() {
    while (!connector.now->unacked.empty()) {
      ack_oldest();
      look();
    }
  }
  /// As after a kill: only what was remembered is left, and the commands that are open.
  void restart() {
    Replayer::Parts of_next = replayer_parts();
    of_next.configured = [this](const std::string&) { return meter_configured; };
    auto fresh = std::make_unique<Replayer>(std::move(of_next));
    forwarder.reset();
    next_replayer = std::move(fresh);
    forwarder = std::make_unique<Forwarder>(parts(*next_replayer));
    connect();
    connector.published.clear();
    for (const OpenCommand& open : given) {
      if (inbox.done.count(open.stored.key) == 0) next_replayer->give({open});
    }
    look();
  }
  std::string result(std::size_t i, const std::string& name) const {
    const Json* member = inbox.results.at(i).find(name);
    return member == nullptr ? "none" : member->text;
  }

  bool meter_configured = true;  ///< from the next restart() on
  std::vector<OpenCommand> given;
  std::unique_ptr<Replayer> next_replayer;
  std::int64_t last_key = 0;
};

TEST_F(ReplayTest, SendsWhatIsKeptWithTheSameBytesAndAnswersAtTheLastPuback) {
  archive.add(2);
  archive.add(1);
  ask("r1");
  ASSERT_THAT(connector.published, SizeIs(2));
  EXPECT_EQ(connector.published[0].topic, kBase + "readings");
  EXPECT_EQ(connector.published[0].payload, R"({"gateway":"g1","records":[{"id":"old-1"},{"id":"old-2"}]})");
  ack_oldest();
  EXPECT_THAT(inbox.results, IsEmpty());
  ack_oldest();

  ASSERT_THAT(inbox.results, SizeIs(1));
  EXPECT_EQ(result(0, "command"), "r1");
  EXPECT_EQ(result(0, "status"), "done");
  EXPECT_EQ(result(0, "sent"), "3");
  EXPECT_THAT(inbox.results[0].find("missing")->items, IsEmpty());
  EXPECT_EQ(replays_ended, 1);
}

TEST_F(ReplayTest, TellsWhatIsMissingAdjoiningRangesAsOne) {
  using Why = MissingRange::Why;
  archive.add(2, {{"e0", 3, 5, Why::kPurged}});
  archive.add(0, {{"e0", 6, 7, Why::kPurged}, {"e0", 8, 9, Why::kDropped}});
  archive.add(0, {{"e0", 10, 99, Why::kUnknown}});
  ask("r1");
  ack_and_look();

  const auto& missing = inbox.results.at(0).find("missing")->items;
  ASSERT_THAT(missing, SizeIs(3));
  const std::pair<const char*, const char*> expected[] = {{"3", "7"}, {"8", "9"}, {"10", "99"}};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(missing[i].find("from_seq")->text, expected[i].first);
    EXPECT_EQ(missing[i].find("to_seq")->text, expected[i].second);
    EXPECT_EQ(missing[i].find("lane")->text, "readings");
    EXPECT_EQ(missing[i].find("epoch")->text, "e0");
  }
  EXPECT_EQ(missing[0].find("why")->text, "purged");
  EXPECT_EQ(missing[1].find("why")->text, "dropped");
  EXPECT_EQ(missing[2].find("why")->text, "unknown");
}

TEST_F(ReplayTest, AnswersAtOnceWhereNothingIsKept) {
  for (int i = 0; i < 50; ++i) archive.add(0);
  ask("r1");

  EXPECT_EQ(result(0, "sent"), "0");
  EXPECT_THAT(connector.published, IsEmpty());
}

TEST_F(ReplayTest, GoesBehindRecordsThatWereNotYetSent) {
  settings.uplink.max_inflight = 1;
  start();
  connect();
  connector.published.clear();
  commit(Lane::kReadings, 5);
  for (int i = 0; i < 3; ++i) archive.add(2);
  ask("r1");
  ack_oldest();
  commit(Lane::kEvents, 1);
  ack_and_look();

  EXPECT_THAT(sent(), ElementsAre("readings-1", "readings-2", "readings-3", "readings-4", "events-6", "readings-5",
                                  "old-1", "old-2", "old-3", "old-4", "old-5", "old-6"));
}

TEST_F(ReplayTest, LeavesALiveRecordItsPlaceInTheMiddle) {
  settings.uplink.max_inflight = 1;
  start();
  connect();
  connector.published.clear();
  for (int i = 0; i < 3; ++i) archive.add(1);
  ask("r1");
  commit(Lane::kReadings, 1);
  ack_and_look();

  EXPECT_THAT(sent(), ElementsAre("old-1", "readings-1", "old-2", "old-3"));
}

TEST_F(ReplayTest, HoldsUpNoLargeRecordThatWaitsForRoom) {
  for (int i = 0; i < 30; ++i) archive.add(1);
  ask("r1");
  ack_oldest();
  commit(Lane::kReadings, 1, 20'000);
  look();
  const std::size_t ahead = connector.published.size();
  for (int i = 0; i < settings.uplink.max_inflight; ++i) ack_oldest();

  ASSERT_THAT(connector.published, SizeIs(::testing::Gt(ahead)));
  EXPECT_THAT(ids(connector.published[ahead].payload), ElementsAre("readings-1"));
}

TEST_F(ReplayTest, MovesNoCursorOfItsLane) {
  archive.add(2);
  ask("r1");
  ack_and_look();

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 0);
}

TEST_F(ReplayTest, RunsOneAtATimeInTheOrderOfTheirArrival) {
  settings.uplink.max_inflight = 1;
  start();
  connect();
  archive.add(2);
  ask("r1");
  ask("r2");
  ask("r3");
  ASSERT_TRUE(replayer.state());
  EXPECT_EQ(replayer.state()->command, "r1");
  EXPECT_EQ(replayer.state()->waiting, 2u);
  EXPECT_EQ(replayer.room({}), Replayer::kQueue - 2);
  ack_and_look();

  ASSERT_THAT(inbox.results, SizeIs(3));
  EXPECT_EQ(result(0, "command"), "r1");
  EXPECT_EQ(result(2, "command"), "r3");
  EXPECT_FALSE(replayer.state());
}

TEST_F(ReplayTest, TellsItsProgress) {
  for (int i = 0; i < 10; ++i) archive.add(2);
  ask("r1");
  ack_oldest();

  EXPECT_EQ(replayer.state()->sent, 2);
  EXPECT_EQ(replayer.state()->epoch, "e0");
  EXPECT_EQ(replayer.state()->seq, 2);
}

TEST_F(ReplayTest, GoesBackToWhatTheLossLeftUnknownAndCountsItOnce) {
  for (int i = 0; i < 6; ++i) archive.add(2);
  ask("r1");
  ack_oldest();
  connector.now->ack(connector.now->unacked[1]);  // the one before it is not
  settle();
  lose();
  connector.published.clear();
  connect();
  ack_and_look();

  EXPECT_THAT(sent(),
              ElementsAre("old-3", "old-4", "old-5", "old-6", "old-7", "old-8", "old-9", "old-10", "old-11", "old-12"));
  EXPECT_EQ(result(0, "sent"), "12");
}

TEST_F(ReplayTest, GoesOnAfterARestartWhereItWasAndCountsFromThere) {
  archive.add(2, {{"e0", 3, 4, MissingRange::Why::kDropped}});
  archive.last_seq = 4;
  for (int i = 0; i < 5; ++i) archive.add(2);
  ask("r1");
  ask("r2");
  ack_oldest();
  ack_oldest();
  restart();
  while (!connector.now->unacked.empty() && inbox.results.empty()) {
    ack_oldest();
    look();
  }

  const auto ids = sent();
  EXPECT_EQ(ids.front(), "old-7");
  EXPECT_EQ(result(0, "command"), "r1");
  EXPECT_EQ(result(0, "sent"), "12");
  ASSERT_THAT(inbox.results[0].find("missing")->items, SizeIs(1));
  EXPECT_EQ(inbox.results[0].find("missing")->items[0].find("why")->text, "dropped");
}

TEST_F(ReplayTest, TakesNothingOfAnothersProgress) {
  for (int i = 0; i < 3; ++i) archive.add(2);
  ask("r1");
  ack_and_look();
  connector.published.clear();
  ask("r2");
  ack_and_look();

  EXPECT_THAT(sent(), SizeIs(6));
  EXPECT_EQ(result(1, "sent"), "6");
}

TEST_F(ReplayTest, StartsFromTheBeginningWhenWhatWasRememberedCannotBeRead) {
  memory.values["agent.replay"] = "{\"command\":1,";
  archive.add(2);
  ask("r1");
  ack_and_look();

  EXPECT_EQ(result(0, "sent"), "2");
}

TEST_F(ReplayTest, ExpiresWhenItsTurnComesTooLate) {
  const std::string at = rfc3339(clock.utc() + Millis{1000});
  archive.add(2);
  clock.advance(2s);
  ask("r1", R"(,"expires_at":")" + at + "\"");

  EXPECT_EQ(result(0, "status"), "expired");
  EXPECT_THAT(connector.published, IsEmpty());
}

TEST_F(ReplayTest, WaitsForAStoreThatHasNoAnswer) {
  archive.add(2);
  archive.error = Error{Errc::kStorage, "busy"};
  ask("r1");
  archive.error.reset();
  advance(1s);
  ack_and_look();

  EXPECT_EQ(result(0, "sent"), "2");
}

TEST_F(ReplayTest, NamesNoMoreRangesThanAResultHolds) {
  std::vector<MissingRange> holes;
  for (std::int64_t i = 0; i < 1000; ++i)
    holes.push_back({"3f9c0a6b12de", 2 * i + 1, 2 * i + 1, MissingRange::Why::kPurged});
  archive.add(0, holes);
  ask("r1");

  EXPECT_THAT(inbox.results.at(0).find("missing")->items, SizeIs(Replayer::kMostRanges));
  EXPECT_EQ(result(0, "more_missing"), "600");
}

TEST_F(ReplayTest, RejectsAMeterThatNeitherTheConfigurationNorAKeptRecordKnows) {
  meter_configured = false;
  restart();
  archive.add(0);
  ask_next("r1", R"(,"meter":"nobody")");
  ASSERT_THAT(inbox.results, SizeIs(1));
  EXPECT_EQ(result(0, "status"), "rejected");
  EXPECT_EQ(inbox.results[0].find("error")->find("code")->text, "no_such_meter");
  EXPECT_THAT(next_replayer->running(), ::testing::Eq(std::nullopt));
}

TEST_F(ReplayTest, FindsNothingOfAMeterThatOnlyRecordsOfAnotherTimeKnow) {
  meter_configured = false;
  restart();
  archive.add(0);
  archive.on_search = [this](const ReplayWish& wish) {
    if (!wish.epoch.empty()) return;
    EXPECT_EQ(wish.meter, "gone");
    archive.pieces.clear();
    archive.add(1);
  };
  ask_next("r1", R"(,"meter":"gone")");
  ASSERT_THAT(inbox.results, SizeIs(1));
  EXPECT_EQ(result(0, "status"), "done");
  EXPECT_EQ(result(0, "sent"), "0");
  EXPECT_THAT(connector.published, IsEmpty());
}

TEST_F(ReplayTest, FindsNothingOfAConfiguredMeterWithoutASecondLook) {
  archive.add(0);
  ask("r1", R"(,"meter":"m1")");
  EXPECT_EQ(result(0, "status"), "done");
  EXPECT_THAT(archive.wishes, SizeIs(1));
}

}  // namespace
}  // namespace metergate
