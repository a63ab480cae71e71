#include "agent/uplink/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/captured_log.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connector.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/fake_uplink_host.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : session(parts()) {}

  Session::Parts parts() {
    Session::Parts out;
    out.connector = &connector;
    out.outbox = &outbox;
    out.key_values = &memory;
    out.host = &host;
    out.log = &log.log;
    out.draw = [this] { return draw; };
    out.backoff_min = 1s;
    out.backoff_max = 60s;
    out.topics = topics_of("metergate", "g1");
    return out;
  }

  SessionNews step() { return session.step(clock.mono()); }
  /// How long until the next try begins.
  Millis pause() {
    const MonoTime begin = clock.mono();
    while (connector.now == nullptr) {
      clock.advance(std::max<Nanos>(session.next(clock.mono()) - clock.mono(), 1ms));
      step();
    }
    return std::chrono::duration_cast<Millis>(clock.mono() - begin);
  }
  void pause_until_next_try() {
    const int made = connector.made;
    while (connector.made == made) {
      clock.advance(session.next(clock.mono()) - clock.mono());
      step();
    }
  }
  void connect(bool session_present) {
    step();
    connector.now->accept(session_present);
    step();
    connector.now->grant();
    step();
  }
  void lose() {
    connector.now->lose();
    step();
  }
  Message message(const std::string& topic, const std::string& payload, bool retained = false) {
    return {"metergate/g1/" + topic, payload, retained};
  }

  FakeClock clock;
  CapturedLog log{clock};
  FakeConnector connector;
  FakeOutbox outbox;
  FakeKeyValueStore memory;
  FakeUplinkHost host;
  double draw = 0;
  Session session;
};

TEST_F(SessionTest, ConnectsAtOnceAndSubscribesToCommandsReceiptsAndItsOwnStatus) {
  step();
  ASSERT_NE(connector.now, nullptr);
  connector.now->accept(false);
  step();

  EXPECT_THAT(connector.now->subscribed,
              ElementsAre("metergate/g1/commands", "metergate/g1/receipts", "metergate/g1/status"));
  EXPECT_FALSE(session.up());
}

TEST_F(SessionTest, IsUpOnlyWithTheSuback) {
  step();
  connector.now->accept(true);
  EXPECT_FALSE(step().up);
  connector.now->grant();

  EXPECT_TRUE(step().up);
  EXPECT_TRUE(session.up());
}

TEST_F(SessionTest, TriesAgainByAFreshConnectionAfterPausesThatGrowUpToTheMaximum) {
  draw = 1.0;
  connector.refuse = "connection refused";
  std::vector<Millis> pauses;
  step();
  for (int i = 0; i < 7; ++i) {
    const MonoTime lost = clock.mono();
    pause_until_next_try();
    pauses.push_back(std::chrono::duration_cast<Millis>(clock.mono() - lost));
  }

  EXPECT_THAT(pauses, ElementsAre(10s, 15s, 22500ms, 33750ms, 50625ms, 60s, 60s));
}

TEST_F(SessionTest, DrawsTheFirstPauseAfterALossToo) {
  connect(true);
  draw = 0.5;
  lose();
  EXPECT_EQ(pause(), 5500ms);  // half of the way from 1 s to 10 s
}

TEST_F(SessionTest, StartsWithTheShortestPauseAgainAfter30sOfStableLinkAndNotBefore) {
  draw = 1.0;
  connector.refuse = "connection refused";
  step();
  for (int i = 0; i < 6; ++i) {
    clock.advance(60s);
    step();
  }
  connector.refuse.clear();
  clock.advance(60s);
  connect(true);
  clock.advance(29s);
  lose();
  EXPECT_EQ(pause(), 60s);

  connect(true);
  clock.advance(30s);
  lose();
  EXPECT_EQ(pause(), 10s);
}

TEST_F(SessionTest, GivesUpAnAddressThatDoesNotTakeTheConnectionAfter10sAsOneThatRefusesIt) {
  draw = 1.0;
  connector.answers_tcp = false;
  step();
  clock.advance(10s - 1ms);
  step();
  EXPECT_NE(connector.now, nullptr);
  EXPECT_EQ(session.next(clock.mono()), clock.mono() + 1ms);
  clock.advance(1ms);
  step();

  EXPECT_EQ(connector.now, nullptr);
  EXPECT_EQ(log.count("nothing answers"), 1);
  EXPECT_EQ(pause(), 10s);
}

TEST_F(SessionTest, WaitsAMinuteForABrokerThatTakesTheConnectionAndDoesNotAnswerAndThenLonger) {
  draw = 1.0;
  step();
  clock.advance(60s - 1ms);
  step();
  EXPECT_NE(connector.now, nullptr);
  clock.advance(1ms);
  step();
  EXPECT_EQ(connector.now, nullptr);
  EXPECT_EQ(log.count("takes the connection and does not answer"), 1);

  EXPECT_EQ(pause(), 60s);
  clock.advance(120s - 1ms);
  step();
  EXPECT_NE(connector.now, nullptr);
  clock.advance(1ms);
  step();
  EXPECT_EQ(connector.now, nullptr);
  EXPECT_EQ(pause(), 120s);
}

TEST_F(SessionTest, WaitsAsLongForABrokerThatDoesNotAnswerTheSubscription) {
  step();
  connector.now->accept(true);
  step();
  clock.advance(60s - 1ms);
  step();
  EXPECT_NE(connector.now, nullptr);
  clock.advance(1ms);
  step();

  EXPECT_EQ(connector.now, nullptr);
}

TEST_F(SessionTest, NotesALostSessionInTheStoreBeforeItSubscribesAgain) {
  connect(false);
  EXPECT_THAT(outbox.rows, IsEmpty());
  lose();
  std::size_t noted = 0;
  connector.on_subscribe = [&] { noted = outbox.rows.size(); };
  pause();
  connect(false);

  EXPECT_EQ(noted, 1u);
  EXPECT_THAT(outbox.rows.begin()->second.bytes, ::testing::HasSubstr("session_lost"));
  EXPECT_EQ(session.counters().sessions_lost, 1);
}

TEST_F(SessionTest, SaysNothingOfASessionThatIsStillThere) {
  connect(false);
  lose();
  pause();
  connect(true);

  EXPECT_THAT(outbox.rows, IsEmpty());
}

TEST_F(SessionTest, KnowsOfTheSessionOfAnEarlierRun) {
  memory.values["mqtt.session"] = "open";
  connect(false);

  EXPECT_THAT(outbox.rows, SizeIs(1));
}

TEST_F(SessionTest, TellsOfLostSessionsOnceAMinuteAndOfTheLastOneToo) {
  connect(false);
  for (int i = 0; i < 20; ++i) {
    lose();
    pause();
    connect(false);  // each a second after the one before
  }
  EXPECT_THAT(outbox.rows, SizeIs(1));
  EXPECT_EQ(log.count("forgot this gateway's session"), 1);
  EXPECT_EQ(session.counters().sessions_lost, 20);
  clock.advance(session.next(clock.mono()) - clock.mono());
  step();
  EXPECT_THAT(outbox.rows, SizeIs(2));
  clock.advance(10min);
  step();
  EXPECT_THAT(outbox.rows, SizeIs(2));
}

TEST_F(SessionTest, TellsOfALostSessionThatAnEarlierRunHeldBack) {
  connect(false);
  for (int i = 0; i < 2; ++i) {
    lose();
    pause();
    connect(false);
  }
  ASSERT_THAT(outbox.rows, SizeIs(1));
  Session next_run(parts());
  next_run.step(clock.mono());
  connector.now->accept(true);
  next_run.step(clock.mono());

  EXPECT_THAT(outbox.rows, SizeIs(2));
}

TEST_F(SessionTest, SubscribesAgainToWhatWasRefusedAtPausesThatGrow) {
  step();
  connector.now->accept(true);
  step();
  int subscriptions = 0;
  connector.on_subscribe = [&] { ++subscriptions; };
  connector.now->grant({"metergate/g1/commands"});
  EXPECT_TRUE(step().up);
  std::vector<Millis> pauses;
  for (int i = 0; i < 4; ++i) {
    const MonoTime begin = clock.mono();
    const int before = subscriptions;
    while (subscriptions == before) {
      clock.advance(session.next(clock.mono()) - clock.mono());
      step();
    }
    pauses.push_back(std::chrono::duration_cast<Millis>(clock.mono() - begin));
    EXPECT_THAT(connector.now->subscribed, ElementsAre("metergate/g1/commands"));
    connector.now->grant({"metergate/g1/commands"});
    step();
  }
  EXPECT_THAT(pauses, ElementsAre(10s, 20s, 40s, 80s));
  EXPECT_EQ(log.count("refuses a subscription"), 1);
  clock.advance(160s);
  step();
  connector.now->grant();
  step();
  EXPECT_EQ(log.count("grants all subscriptions"), 1);
  clock.advance(2h);
  step();
  EXPECT_EQ(subscriptions, 5);
}

TEST_F(SessionTest, DoesNotSubscribeWhileTheStoreCannotNoteTheSession) {
  memory.error = Error{Errc::kStorage, "disk on fire"};
  bool subscribed = false;
  connector.on_subscribe = [&] { subscribed = true; };
  step();
  connector.now->accept(false);
  step();

  EXPECT_FALSE(subscribed);
  EXPECT_EQ(connector.now, nullptr);
  EXPECT_EQ(log.count("disk on fire"), 1);
}

TEST_F(SessionTest, HandsOverWhatWasAcknowledgedBeforeALoss) {
  connect(true);
  ASSERT_TRUE(session.publish(7, message("events", "x")));
  ASSERT_TRUE(session.publish(8, message("events", "y")));
  connector.now->ack(connector.now->unacked.front());
  connector.now->lose();
  const SessionNews news = step();

  EXPECT_THAT(news.acked, ElementsAre(7u));
  EXPECT_TRUE(news.lost);
}

TEST_F(SessionTest, HearsNothingMoreOfAConnectionThatItGaveUp) {
  connect(true);
  ASSERT_TRUE(session.publish(7, message("events", "x")));
  connector.now->ack(connector.now->unacked.front());
  session.drop("no use", clock.mono());
  pause();

  EXPECT_THAT(step().acked, IsEmpty());
}

TEST_F(SessionTest, LogsALossOnceAndNotEachFurtherTry) {
  connect(true);
  lose();
  connector.refuse = "connection refused";
  for (int i = 0; i < 20; ++i) {
    clock.advance(60s);
    step();
  }

  EXPECT_EQ(log.count("reset by peer"), 1);
  EXPECT_EQ(log.count("connection refused"), 1);
}

TEST_F(SessionTest, AsksWhyAConnectFailedOnlyForTheLog) {
  connector.refuse = "connection refused";
  step();
  for (int i = 0; i < 20; ++i) {
    clock.advance(60s);
    step();
  }
  EXPECT_EQ(log.count("connection refused, explained"), 1);
  EXPECT_EQ(connector.explained, 1);
}

TEST_F(SessionTest, AsksNobodyWhyALinkThatWasUpIsLost) {
  connect(true);
  lose();
  EXPECT_EQ(connector.explained, 0);
}

TEST_F(SessionTest, LogsTheSameLossAgainAfterTheLinkWasUp) {
  connect(true);
  lose();
  pause();
  connect(true);
  lose();

  EXPECT_EQ(log.count("reset by peer"), 2);
}

TEST_F(SessionTest, AcknowledgesACommandOnlyIfItIsDurable) {
  step();
  EXPECT_TRUE(connector.now->deliver(message("commands", "c1")));
  host.durable = false;
  EXPECT_FALSE(connector.now->deliver(message("commands", "c2")));

  EXPECT_THAT(host.commands, ElementsAre("c1", "c2"));
}

TEST_F(SessionTest, AcknowledgesAndIgnoresWhatIsNoCommand) {
  host.durable = false;  // a command would not be acknowledged
  step();
  EXPECT_TRUE(connector.now->deliver(message("commands", "old", true)));
  EXPECT_TRUE(connector.now->deliver(message("receipts", "old", true)));
  EXPECT_TRUE(connector.now->deliver({"metergate/g2/commands", "of another", false}));
  EXPECT_TRUE(connector.now->deliver(message("status", std::string(5000, ' '))));

  EXPECT_THAT(host.commands, IsEmpty());
  EXPECT_EQ(session.ignored(), 4);
}

TEST_F(SessionTest, HandsReceiptsOnAndOfAFloodOfThemTheFirstHundred) {
  connect(true);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(connector.now->deliver(message("receipts", std::to_string(i))));
  EXPECT_TRUE(connector.now->deliver(message("receipts", std::string(5000, ' '))));

  const SessionNews news = step();
  ASSERT_THAT(news.receipts, SizeIs(100));
  EXPECT_EQ(news.receipts.back(), "99");
  EXPECT_EQ(session.ignored(), 901);
}

TEST_F(SessionTest, KeepsOnlyAFewStatusMessagesHoweverManyCome) {
  step();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(connector.now->deliver(message("status", "{}")));

  EXPECT_THAT(step().statuses, SizeIs(4));
  EXPECT_EQ(session.ignored(), 996);
}

TEST_F(SessionTest, SaysGoodbyeForGood) {
  connect(true);
  session.close(300ms);
  clock.advance(1h);
  step();

  EXPECT_TRUE(session.ended());
  EXPECT_EQ(connector.made, 1);
}

TEST_F(SessionTest, EndsWithTheReaderWhereOnlyRecordsAreTaken) {
  connector.bare = true;
  memory.error = Error{Errc::kStorage, "not to be asked"};
  connect(true);
  ASSERT_TRUE(session.up());
  lose();
  clock.advance(1h);
  step();

  EXPECT_TRUE(session.ended());
  EXPECT_EQ(connector.made, 1);
}

TEST_F(SessionTest, ReportsWhatEachAddressCameTo) {
  connector.refuse = "connection refused";
  step();
  connector.refuse.clear();
  connector.address = "192.0.2.2";
  pause();
  connector.now->accept(true);
  step();
  connector.now->grant({"metergate/g1/receipts"});
  step();

  const auto links = session.links();
  ASSERT_THAT(*links, SizeIs(2));
  EXPECT_EQ((*links)[0].address, "192.0.2.1");
  EXPECT_EQ((*links)[0].error, "connection refused, explained");
  EXPECT_FALSE((*links)[0].up_since);
  EXPECT_EQ((*links)[1].address, "192.0.2.2");
  EXPECT_EQ((*links)[1].session_present, true);
  EXPECT_EQ((*links)[1].up_since, clock.mono());
  ASSERT_THAT((*links)[1].subscriptions, SizeIs(3));
  EXPECT_TRUE((*links)[1].subscriptions[0].granted);
  EXPECT_FALSE((*links)[1].subscriptions[1].granted);
  EXPECT_THAT((*links)[1].error, testing::HasSubstr("metergate/g1/receipts"));
}

TEST_F(SessionTest, ReportsALossWithItsReasonAndNoLongerAsUp) {
  connect(true);
  EXPECT_EQ(session.links()->at(0).error, "");
  lose();

  EXPECT_EQ(session.links()->at(0).error, "reset by peer");
  EXPECT_FALSE(session.links()->at(0).up_since);
}

TEST_F(SessionTest, ReportsTheExplanationOfAReasonAlsoWhenItIsNotLoggedAgain) {
  connector.refuse = "connection refused";
  step();
  connector.address = "192.0.2.2";
  pause_until_next_try();

  ASSERT_THAT(*session.links(), SizeIs(2));
  EXPECT_EQ(connector.explained, 1);
  EXPECT_EQ((*session.links())[1].error, "connection refused, explained");
}

}  // namespace
}  // namespace metergate
