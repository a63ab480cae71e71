#include "agent/uplink/forwarder.h"

#include <set>

#include "tests/unit/uplink/forwarder_fixture.h"

namespace metergate {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

TEST_F(ForwarderTest, SaysOnlineThenSendsTheCatalogsThePresentOneLastAllRetained) {
  settle();
  connector.now->accept(true);
  settle();
  EXPECT_THAT(connector.published, IsEmpty());
  connector.now->grant();
  settle();

  ASSERT_THAT(connector.published, SizeIs(3));
  EXPECT_EQ(connector.published[0].topic, kBase + "status");
  EXPECT_EQ(connector.published[1].payload, "catalog-old");
  EXPECT_EQ(connector.published[2].payload, "catalog-now");
  for (const Message& m : connector.published) EXPECT_TRUE(m.retained) << m.topic;
}

TEST_F(ForwarderTest, SaysOnlineAgainEvery5Minutes) {
  connect();
  topics();
  advance(299s);
  EXPECT_THAT(topics(), IsEmpty());
  EXPECT_LE(next, clock.mono() + 1s);
  advance(1s);

  EXPECT_THAT(topics(), ElementsAre("status"));
}

TEST_F(ForwarderTest, SendsTheCatalogsAgainWhenTheyChange) {
  connect();
  topics();
  host.catalog_texts = {"catalog-new"};
  forwarder->announce();
  settle();

  ASSERT_THAT(connector.published, SizeIs(1));
  EXPECT_EQ(connector.published[0].payload, "catalog-new");
}

TEST_F(ForwarderTest, SendsEveryCatalogBeforeAnyReading) {
  settings.uplink.max_inflight = 1;
  start();
  host.catalog_texts = {"c1", "c2", "c3", "c4", "c5", "c6"};
  commit(Lane::kReadings, 10);
  commit(Lane::kResults, 10);
  settle();
  connector.now->accept(true);
  settle();
  connector.now->grant();
  settle();
  ack_all();

  const auto order = topics();
  const auto last_catalog = std::find(order.rbegin(), order.rend(), "catalog");
  EXPECT_EQ(std::count(order.begin(), order.end(), "catalog"), 6);
  EXPECT_EQ(std::count(last_catalog, order.rend(), "readings"), 0);
}

TEST_F(ForwarderTest, SendsNoReadingWhileTheStoreCannotTellTheCatalogs) {
  host.answers = false;
  commit(Lane::kReadings);
  settle();
  connector.now->accept(true);
  settle();
  connector.now->grant();
  settle();
  ack_all();
  EXPECT_THAT(topics(), ElementsAre("status"));
  host.answers = true;
  advance(1s);
  ack_all();

  EXPECT_THAT(topics(), ElementsAre("catalog", "catalog", "readings"));
}

TEST_F(ForwarderTest, SendsThePartsOfACatalogToTopicsOfTheirOwn) {
  connect();
  topics();
  host.catalog_texts.clear();
  host.parts = {"part 1", "part 2", "part 3"};
  forwarder->announce();
  settle();

  ASSERT_THAT(connector.published, SizeIs(3));
  for (const Message& m : connector.published) EXPECT_TRUE(m.retained) << m.topic;
  EXPECT_THAT(topics(), ElementsAre("catalog", "catalog/2", "catalog/3"));
}

TEST_F(ForwarderTest, SendsARecordAsSoonAsItIsCommittedWithoutWaitingForABatch) {
  connect();
  topics();
  commit(Lane::kReadings);
  settle();

  ASSERT_THAT(connector.published, SizeIs(1));
  EXPECT_EQ(connector.published[0].payload, R"({"gateway":"g1","records":[{"id":"readings-1"}]})");
  EXPECT_EQ(connector.published[0].topic, kBase + "readings");
  EXPECT_FALSE(connector.published[0].retained);
}

TEST_F(ForwarderTest, FindsARecordWithoutBeingToldOfIt) {
  connect();
  topics();
  outbox.add(Lane::kEvents);
  advance(next - clock.mono());

  EXPECT_THAT(sent(), ElementsAre("events-1"));
}

TEST_F(ForwarderTest, BatchesABacklogUpToTheNumberOfRecords) {
  settings.uplink.batch = 3;
  start();
  commit(Lane::kEvents, 7);
  connect();

  EXPECT_THAT(ids(connector.now->unacked.front().message.payload), SizeIs(3));
  ack_all();
  EXPECT_THAT(sent(), SizeIs(7));
}

TEST_F(ForwarderTest, KeepsAMessageWithin16KiBButForOneLargeRecordThatGoesAlone) {
  connect();
  for (int i = 0; i < 20; ++i) {  // opens the window
    commit(Lane::kReadings, 1, 3000);
    settle();
    advance(1ms);
    ack_all();
  }
  connector.published.clear();
  commit(Lane::kReadings, 40, 1000);
  const std::int64_t large = commit(Lane::kReadings, 1, 20'000);
  commit(Lane::kReadings);
  settle();
  ack_all();

  std::size_t largest = 0;
  for (const Message& m : connector.published) {
    if (ids(m.payload).front() == "readings-" + std::to_string(large)) {
      EXPECT_THAT(ids(m.payload), SizeIs(1));
    } else {
      largest = std::max(largest, m.payload.size());
    }
  }
  EXPECT_LE(largest, std::size_t{16} << 10);
  EXPECT_GT(largest, std::size_t{15} << 10);
  EXPECT_THAT(sent(), SizeIs(42));
}

TEST_F(ForwarderTest, NeverHasMoreMessagesInFlightThanItMay) {
  settings.uplink.batch = 1;
  start();
  commit(Lane::kReadings, 50);
  connect();

  EXPECT_EQ(in_flight("readings"), 4u);
  ack_oldest();
  EXPECT_EQ(in_flight("readings"), 4u);
}

TEST_F(ForwarderTest, ShowsWhatIsInFlightAndSinceWhen) {
  settings.uplink.batch = 1;
  start();
  commit(Lane::kEvents, 2);
  EXPECT_FALSE(forwarder->state().connected);
  connect();
  EXPECT_TRUE(forwarder->state().connected);
  EXPECT_EQ(forwarder->state().in_flight, 2u);
  EXPECT_GT(forwarder->state().in_flight_bytes, 0u);
  advance(3s);
  EXPECT_GE(forwarder->state().oldest_unacked, 3s);
  ack_all();
  EXPECT_EQ(forwarder->state().in_flight, 0u);
  EXPECT_EQ(forwarder->state().in_flight_bytes, 0u);
  EXPECT_EQ(forwarder->state().oldest_unacked, 0s);
}

TEST_F(ForwarderTest, DeliveredMovesOverWhatIsAcknowledgedWithoutAGap) {
  settings.uplink.batch = 1;
  start();
  commit(Lane::kEvents, 3);
  connect();
  connector.now->ack(connector.now->unacked[1]);
  settle();
  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 0);
  connector.now->ack(connector.now->unacked[0]);
  settle();
  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 2);
  ack_all();

  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 3);
  EXPECT_EQ(source(Source::kEvents).acked, 3);
}

TEST_F(ForwarderTest, GoesBackToWhatTheLossLeftUnknownAndNoFurther) {
  settings.uplink.batch = 1;
  start();
  commit(Lane::kReadings, 3);
  connect();
  ack("readings");
  lose();
  topics();
  connect();

  EXPECT_THAT(sent(), ElementsAre("readings-2", "readings-3"));
}

TEST_F(ForwarderTest, StartsBehindWhatWasDeliveredInAnEarlierRun) {
  commit(Lane::kReadings, 3);
  outbox.delivered(Lane::kReadings, 2);
  connect();

  EXPECT_THAT(sent(), ElementsAre("readings-3"));
}

TEST_F(ForwarderTest, GoesOnWhenTheStoreAnswersAgain) {
  connect();
  topics();
  outbox.error = Error{Errc::kStorage, "busy"};
  commit(Lane::kResults);
  settle();
  outbox.error.reset();
  advance(1s);

  EXPECT_THAT(sent(), ElementsAre("results-1"));
}

TEST_F(ForwarderTest, AsksAStoreThatHasNoAnswerOnlyOnceASecond) {
  connect();
  commit(Lane::kReadings);
  commit(Lane::kResults);
  commit(Lane::kEvents);
  outbox.error = Error{Errc::kStorage, "busy"};
  outbox.peeks = 0;
  for (int i = 0; i < 50; ++i) advance(100ms);

  EXPECT_THAT(outbox.peeks, ::testing::AllOf(::testing::Ge(5), Le(6)));
}

// Which lane goes first.

TEST_F(ForwarderTest, SendsAResultBeforeTheReadingsThatWaitedLonger) {
  settings.uplink.batch = 1;
  start();
  commit(Lane::kReadings, 50);
  connect();
  topics();
  commit(Lane::kResults);
  settle();
  ack_oldest();

  EXPECT_THAT(topics(), ElementsAre("results"));
}

TEST_F(ForwarderTest, GivesReadingsAtLeastEveryFourthMessage) {
  settings.uplink.batch = 1;
  settings.uplink.max_inflight = 1;
  start();
  connect();
  topics();
  commit(Lane::kResults, 20);
  commit(Lane::kEvents, 20);
  commit(Lane::kReadings, 20);
  settle();
  for (int i = 0; i < 11; ++i) ack_oldest();

  const auto order = topics();
  ASSERT_THAT(order, SizeIs(12));
  int since = 0;
  for (const std::string& topic : order) {
    since = topic == "readings" ? 0 : since + 1;
    EXPECT_LE(since, 3);
  }
  EXPECT_EQ(std::count(order.begin(), order.end(), "readings"), 3);
  EXPECT_GE(std::count(order.begin(), order.end(), "results"), 4);
  EXPECT_GE(std::count(order.begin(), order.end(), "events"), 4);
}

TEST_F(ForwarderTest, SendsTheEventThatTellsOfAGapBeforeTheRowsBehindItEvenWhenThoseHaveTheirTurn) {
  settings.uplink.batch = 1;
  settings.uplink.max_inflight = 1;
  start();
  connect();
  topics();
  commit(Lane::kEvents, 3);
  settle();
  ack_oldest();
  ack_oldest();
  const std::int64_t behind = commit(Lane::kReadings);
  const std::int64_t dropped = commit(Lane::kEvents);
  outbox.after_event[behind] = dropped;
  settle();
  ack_all();

  EXPECT_THAT(sent(), ElementsAre("events-1", "events-2", "events-3", "events-5", "readings-4"));
}

/// A link that takes `rate` bytes a second, one message behind the other. Returns the most bytes that were in flight at
/// any time after the first two seconds, and the time it took.
struct SlowLink {
  double rate;
  std::size_t most = 0;
};

TEST_F(ForwarderTest, KeepsNoMoreOfABacklogInFlightThanTheLinkTakesInASecond) {
  settings.uplink.max_inflight = 64;
  start();
  connect();
  commit(Lane::kReadings, 3000, 200);
  settle();
  SlowLink slow{20'000};
  const MonoTime begin = clock.mono();
  while (outbox.delivered_up_to(Lane::kReadings) < 3000) {
    const auto bytes = static_cast<double>(connector.now->unacked.front().message.payload.size());
    clock.advance(Nanos{static_cast<Nanos::rep>(bytes / slow.rate * 1e9)});
    ack_oldest();
    if (clock.mono() - begin > 2s) slow.most = std::max(slow.most, forwarder->state().in_flight_bytes);
  }

  EXPECT_LE(slow.most, 22'000u);
  EXPECT_GE(slow.most, 10'000u);
  // The link was never idle: 600 kB and their frames at 20 kB a second.
  EXPECT_LE(clock.mono() - begin, 32s);
}

TEST_F(ForwarderTest, FillsAFastLink) {
  settings.uplink.max_inflight = 16;
  start();
  connect();
  commit(Lane::kReadings, 10'000, 200);
  settle();
  for (int i = 0; i < 50; ++i) {
    clock.advance(1ms);
    ack_oldest();
  }

  EXPECT_EQ(in_flight("readings"), 16u);
  EXPECT_GT(connector.now->unacked.back().message.payload.size(), 9000u);
}

TEST_F(ForwarderTest, SendsAResultAtOnceWhileReadingsFillASlowLink) {
  settings.uplink.max_inflight = 64;
  start();
  connect();
  topics();
  commit(Lane::kReadings, 3000, 200);
  settle();
  EXPECT_THAT(topics(), ElementsAre("readings"));
  commit(Lane::kResults);
  settle();

  EXPECT_THAT(topics(), ElementsAre("results"));
}

// Republished results.

TEST_F(ForwarderTest, RepublishesAResultThatARepeatedCommandWants) {
  const std::int64_t key = commit(Lane::kResults);
  connect();
  ack_all();
  topics();
  forwarder->republish(key);
  settle();

  EXPECT_THAT(sent(), ElementsAre("results-1"));
  EXPECT_EQ(forwarder->state().republished, 1);
}

TEST_F(ForwarderTest, DoesNotRepublishWhatIsStillToBeSentTheFirstTime) {
  connect();
  topics();
  const std::int64_t key = commit(Lane::kResults);
  forwarder->republish(key);
  forwarder->republish(999);
  settle();
  ack_all();
  advance(10s);

  EXPECT_THAT(sent(), ElementsAre("results-1"));
}

TEST_F(ForwarderTest, RepublishesOnceMoreWhatALossLeftUnknown) {
  const std::int64_t key = commit(Lane::kResults);
  connect();
  ack_all();
  forwarder->republish(key);
  settle();
  lose();
  topics();
  connect();
  advance(1s);

  EXPECT_THAT(sent(), ElementsAre("results-1"));
}

// A broker that does not answer, and one that ends the connection at a certain message.

TEST_F(ForwarderTest, DropsAConnectionOnWhichNoPubackComes) {
  connect();
  commit(Lane::kReadings);
  settle();
  advance(InFlight::kPatience);
  ASSERT_NE(connector.now, nullptr);
  EXPECT_LE(next, clock.mono() + 100ms);
  advance(100ms);

  EXPECT_EQ(connector.now, nullptr);
  EXPECT_EQ(log.count("no PUBACK"), 1);
}

TEST_F(ForwarderTest, WaitsLongerForThePubackOfALargeRecordOnASlowLink) {
  connect();
  commit(Lane::kReadings, 1, 64'000);
  settle();
  advance(64s);  // at 1 kB a second
  ack_all();

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 1);
}

class RefusingBroker : public ForwarderTest {
 protected:
  /// Takes everything but messages that hold `poison`, at which it ends the connection, until `until`.
  void run(MonoTime until) {
    while (clock.mono() < until) {
      if (connector.now == nullptr) {
        advance(std::max<Nanos>(next - clock.mono(), 1ms));
        if (connector.now == nullptr) continue;
        connector.now->accept(true);
        settle();
        connector.now->grant();
        settle();
        continue;
      }
      if (connector.now->unacked.empty()) {
        advance(std::max<Nanos>(std::min(next, until) - clock.mono(), 1ms));
        continue;
      }
      const bool bad = connector.now->unacked.front().message.payload.find(poison) != std::string::npos;
      clock.advance(5ms);
      if (bad) {
        at.push_back(clock.mono());
        lose();
      } else {
        ack_oldest();
      }
    }
  }
  std::string poison = "poison";
  std::vector<MonoTime> at;  // when it ended the connection
};

TEST_F(RefusingBroker, StopsOnlyTheLaneWithTheMessageAndKeepsItsRecords) {
  outbox.add(Lane::kResults, "\"x\":\"poison\"");
  commit(Lane::kReadings, 500);
  commit(Lane::kEvents, 500);
  run(clock.mono() + 60s);

  EXPECT_TRUE(source(Source::kResults).refused);
  EXPECT_FALSE(source(Source::kReadings).refused);
  EXPECT_FALSE(source(Source::kEvents).refused);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 501);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 1001);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kResults), 0);
  EXPECT_EQ(log.count("what=results"), 1);
}

TEST_F(RefusingBroker, SendsTheRefusedLaneAgainWhenTheBrokerTakesIt) {
  outbox.add(Lane::kEvents, "\"x\":\"poison\"");
  commit(Lane::kEvents, 5);
  run(clock.mono() + 30s);
  ASSERT_TRUE(source(Source::kEvents).refused);
  poison = "nothing";
  run(clock.mono() + 60s);

  EXPECT_FALSE(source(Source::kEvents).refused);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 6);
  EXPECT_EQ(log.count("takes it again"), 1);
}

TEST_F(RefusingBroker, FindsACatalogThatTheBrokerRefuses) {
  host.catalog_texts = {"poison"};
  commit(Lane::kReadings, 10);
  run(clock.mono() + 60s);

  EXPECT_TRUE(source(Source::kCatalog).refused);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 10);
}

TEST_F(RefusingBroker, SleepsUntilTheNextTryOfWhatIsRefused) {
  poison = "online";
  run(clock.mono() + 60s);
  ASSERT_TRUE(source(Source::kStatus).refused);

  EXPECT_GE(next, clock.mono() + 1s);
}

TEST_F(RefusingBroker, MakesNoRoomForTheTryOfALaneThatHasNothingLeft) {
  const std::int64_t bad = outbox.add(Lane::kResults, "\"x\":\"poison\"");
  commit(Lane::kResults);
  run(clock.mono() + 30s);
  ASSERT_TRUE(source(Source::kResults).refused);
  outbox.rows.erase(bad);
  outbox.rows.erase(bad + 1);
  run(clock.mono() + 60s);
  connector.published.clear();
  clock.advance(60s);
  commit(Lane::kReadings);
  settle();

  EXPECT_THAT(sent(), ElementsAre("readings-3"));
}

TEST_F(RefusingBroker, LetsReadingsPassAnEventThatTheBrokerRefuses) {
  const std::int64_t dropped = outbox.add(Lane::kEvents, "\"x\":\"poison\"");
  const std::int64_t behind = commit(Lane::kReadings);
  outbox.after_event[behind] = dropped;
  run(clock.mono() + 60s);

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), behind);
}

TEST_F(RefusingBroker, LetsAnEventPassForWhichTheRefusedLaneWaits) {
  const std::int64_t first = outbox.add(Lane::kReadings, "\"x\":\"poison\"");
  forwarder->committed();
  run(clock.mono() + 30s);
  ASSERT_TRUE(source(Source::kReadings).refused);
  poison = "nothing";
  clock.advance(2h);  // its try is due
  outbox.after_event[first] = commit(Lane::kEvents);
  run(clock.mono() + 60s);

  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), outbox.after_event[first]);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), first);
}

TEST_F(RefusingBroker, TakesABrokerThatTakesNothingForOneThatIsAway) {
  poison = "\"";  // any message but that of the catalog
  host.catalog_texts.clear();
  commit(Lane::kReadings, 5);
  commit(Lane::kResults, 5);
  commit(Lane::kEvents, 5);
  run(clock.mono() + 1h);

  for (const SourceState& s : forwarder->state().sources) EXPECT_FALSE(s.refused);
  EXPECT_EQ(log.count("ends the connection at a message"), 0);
  poison = "nothing";
  run(clock.mono() + 60s);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kEvents), 15);
}

TEST_F(RefusingBroker, FindsARefusedStatusThatIsAlwaysTheFirst) {
  poison = "online";
  commit(Lane::kReadings, 5);
  run(clock.mono() + 3min);

  EXPECT_TRUE(source(Source::kStatus).refused);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 5);
}

TEST_F(RefusingBroker, TriesARefusedLaneAtOnceAfterTheBrokerWasAway) {
  outbox.add(Lane::kResults, "\"x\":\"poison\"");
  forwarder->committed();
  run(clock.mono() + 40min);
  ASSERT_TRUE(source(Source::kResults).refused);
  poison = "nothing";
  lose();
  connector.refuse = "connection refused";
  advance(next - clock.mono());
  connector.refuse.clear();
  run(clock.mono() + 20s);

  EXPECT_FALSE(source(Source::kResults).refused);
}

/// Ends the connection at messages over 8,000 bytes.
class SmallBroker : public ForwarderTest {
 protected:
  void run(MonoTime until) {
    while (clock.mono() < until) {
      if (connector.now == nullptr) {
        connect();
        continue;
      }
      if (connector.now->unacked.empty()) {
        advance(std::max<Nanos>(std::min(next, until) - clock.mono(), 1ms));
        continue;
      }
      clock.advance(1ms);
      if (connector.now->unacked.front().message.payload.size() > 8000) {
        ++losses;
        lose();
      } else {
        ack_oldest();
      }
    }
  }
  int losses = 0;
};

TEST_F(SmallBroker, GetsABacklogInMessagesOfTheSizeThatItTakes) {
  commit(Lane::kReadings, 3000, 300);
  run(clock.mono() + 5min);

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 3000);
  EXPECT_LE(losses, 4);
  EXPECT_EQ(log.count("ends the connection at larger messages"), 1);
  EXPECT_FALSE(source(Source::kReadings).refused);
}

TEST_F(ForwarderTest, BlamesNoLaneForLossesWithProgressInBetween) {
  settings.uplink.batch = 1;
  start();
  for (int i = 0; i < 10; ++i) {
    commit(Lane::kReadings, 2);
    connect();
    ack("readings");
    lose();
  }
  connect();
  ack_all();

  EXPECT_EQ(log.count("ends the connection"), 0);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 20);
}

TEST_F(RefusingBroker, DeliversEverythingAfterALinkThatWasBadForAWhile) {
  poison = "\"";  // any message
  commit(Lane::kReadings, 5);
  commit(Lane::kResults, 5);
  run(clock.mono() + 60s);
  ASSERT_GE(at.size(), 5u);
  poison = "nothing";
  run(clock.mono() + 120s);

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 5);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kResults), 10);
  for (const SourceState& s : forwarder->state().sources) EXPECT_FALSE(s.refused);
}

// Two gateways with one id.

class TwinTest : public ForwarderTest {
 protected:
  const std::string ours = R"({"state":"online","epoch":"e0e0e0e0e0e0"})";
  const std::string theirs = R"({"state":"online","epoch":"feedfeedfeed"})";
  void read_status(const std::string& payload) {
    EXPECT_TRUE(connector.now->deliver({kBase + "status", payload, true}));
    settle();
  }
};

TEST_F(TwinTest, IsNoticedByAForeignEpochBehindTheFirstOnline) {
  connect();
  read_status(theirs);

  EXPECT_THAT(host.duplicates, ElementsAre("feedfeedfeed"));
  EXPECT_FALSE(forwarder->writes_allowed(clock.mono()));
}

TEST_F(TwinTest, IsLoggedOnceAnHourAndKeepsItsBanOverARestart) {
  connect();
  for (int i = 0; i < 5; ++i) {
    read_status(theirs);
    advance(2s);
    ack_all();
    advance(5min - 2s);
    ack_all();
  }
  EXPECT_EQ(log.count("uses this gateway's id"), 1);
  forwarder.reset();
  start();
  ASSERT_TRUE(forwarder->restore(clock.mono()));
  EXPECT_FALSE(forwarder->writes_allowed(clock.mono() + 4min));
  EXPECT_TRUE(forwarder->writes_allowed(clock.mono() + 6min));
}

TEST_F(TwinTest, IsNotTakenForWhatAnEarlierLifeLeftThere) {
  settle();
  connector.now->accept(false);
  settle();
  connector.now->grant();
  settle();
  read_status(theirs);
  EXPECT_TRUE(connector.now->deliver({kBase + "status", theirs, true}));
  ack("status");  // both are read in one step, as they were sent one behind the other

  EXPECT_THAT(host.duplicates, IsEmpty());
  EXPECT_TRUE(forwarder->writes_allowed(clock.mono()));
}

TEST_F(TwinTest, IsAnsweredOnceWhenItWillBelieveIt) {
  connect();
  topics();
  read_status(theirs);
  advance(1s);
  EXPECT_THAT(topics(), IsEmpty());
  advance(1s);
  EXPECT_THAT(topics(), ElementsAre("status"));
  ack("status");
  advance(1min);
  read_status(theirs);

  EXPECT_THAT(topics(), IsEmpty());
}

TEST_F(TwinTest, IsNoticedAtTheNextConnect) {
  connect();
  lose();
  while (connector.now == nullptr) advance(1s);
  connector.now->accept(true);
  settle();
  connector.now->grant();
  settle();
  read_status(theirs);

  EXPECT_THAT(host.duplicates, SizeIs(1));
}

TEST_F(TwinTest, IsNotSeenInOwnEpochsNorInWhatIsNoStatus) {
  connect();
  read_status(ours);
  read_status("{");
  read_status(R"({"epoch":5})");

  EXPECT_THAT(host.duplicates, IsEmpty());
}

// The end.

TEST_F(ForwarderTest, WaitsAtStopForWhatIsInFlightThenSaysOfflineAndGoodbye) {
  connect();
  commit(Lane::kReadings);
  settle();
  topics();
  forwarder->stop(clock.mono());
  commit(Lane::kReadings);
  settle();
  EXPECT_THAT(topics(), IsEmpty());
  ack_oldest();
  ASSERT_THAT(connector.published, SizeIs(1));
  EXPECT_EQ(connector.published[0].payload, "offline");
  EXPECT_FALSE(forwarder->stopped());
  ack_oldest();

  EXPECT_TRUE(forwarder->stopped());
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 1);
  EXPECT_EQ(host.readers_gone, 0);
}

TEST_F(ForwarderTest, StopsWithinThreeSecondsOfABrokerThatIsSilent) {
  connect();
  commit(Lane::kReadings);
  settle();
  topics();
  const MonoTime begin = clock.mono();
  forwarder->stop(begin);
  settle();
  while (!forwarder->stopped()) advance(next - clock.mono());

  EXPECT_LE(clock.mono() - begin, 3s);
  EXPECT_THAT(topics(), ElementsAre("status"));
}

TEST_F(ForwarderTest, StopsAtOnceWithoutAConnection) {
  connect();
  lose();
  forwarder->stop(clock.mono());
  settle();

  EXPECT_TRUE(forwarder->stopped());
}

// stdout.

class BareTest : public ForwarderTest {
 protected:
  BareTest() { connector.bare = true; }
  void connect_reader() {
    settle();
    connector.now->accept(true);
    settle();
    connector.now->grant();
    settle();
  }
};

TEST_F(BareTest, SendsSingleRecordsAndNothingElse) {
  commit(Lane::kReadings, 2);
  commit(Lane::kEvents);
  connect_reader();
  ack_all();
  advance(10min);

  std::vector<std::string> payloads;
  for (const Message& m : connector.published) payloads.push_back(m.payload);
  EXPECT_THAT(payloads, ::testing::UnorderedElementsAre(R"({"id":"readings-1"})", R"({"id":"readings-2"})",
                                                        R"({"id":"events-3"})"));
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 2);
}

TEST_F(BareTest, WaitsForAReaderThatIsSlow) {
  commit(Lane::kReadings, 3);
  connect_reader();
  connector.now->full = true;
  advance(1h);
  ASSERT_NE(connector.now, nullptr);
  connector.now->full = false;
  advance(1s);
  ack_all();

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 3);
}

TEST_F(BareTest, TellsOnceThatTheReaderIsGone) {
  connect_reader();
  lose();
  advance(1h);

  EXPECT_EQ(host.readers_gone, 1);
  EXPECT_TRUE(forwarder->stopped());
  EXPECT_EQ(connector.made, 1);
}

TEST_F(BareTest, StopsWithoutAStatus) {
  connect_reader();
  forwarder->stop(clock.mono());
  settle();

  EXPECT_TRUE(forwarder->stopped());
  EXPECT_THAT(connector.published, IsEmpty());
}

}  // namespace
}  // namespace metergate
