#include "tests/unit/uplink/forwarder_fixture.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// With --delivery receipt.
class ReceiptTest : public ForwarderTest {
 protected:
  ReceiptTest() {
    settings.uplink.receipts = true;
    settings.uplink.batch = 1;
  }
  void receive(const std::string& payload) {
    EXPECT_TRUE(connector.now->deliver({kBase + "receipts", payload, false}));
    settle();
  }
  void receipt(std::int64_t upto, const std::string& epoch = "e0") {
    receive(R"({"epoch":")" + epoch + R"(","lane":"readings","upto":)" + std::to_string(upto) + "}");
  }
  /// Everything is acknowledged, and forgotten by this test.
  void commit_acked(int count) {
    commit(Lane::kReadings, count);
    settle();
    ack_all();
    connector.published.clear();
  }
  ReceiptCounters counted() const { return forwarder->state().receipts; }
};

TEST_F(ReceiptTest, APubackMakesARecordSentAndOnlyAReceiptMakesItDelivered) {
  connect();
  commit_acked(3);
  EXPECT_EQ(outbox.sent_keys[0], 3);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 0);
  receipt(2);

  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 2);
  EXPECT_EQ(counted().counted, 1);
}

TEST_F(ReceiptTest, ALossGoesBackOnlyToWhatHadNoPuback) {
  connect();
  commit_acked(3);
  commit(Lane::kReadings, 2);
  settle();
  lose();
  connector.published.clear();
  connect();

  EXPECT_THAT(sent(), ElementsAre("readings-4", "readings-5"));
}

TEST_F(ReceiptTest, ResendsTheOldestWindowWhenNoReceiptComes) {
  connect();
  commit_acked(10);
  advance(59s);
  EXPECT_THAT(sent(), IsEmpty());
  advance(1s);

  EXPECT_THAT(sent(), ElementsAre("readings-1", "readings-2", "readings-3", "readings-4"));
  ack_all();
  receipt(4);
  EXPECT_THAT(sent(), ElementsAre("readings-5", "readings-6", "readings-7", "readings-8"));
  EXPECT_EQ(forwarder->state().resent, 8);
}

TEST_F(ReceiptTest, AResentRecordHasTheSameBytes) {
  connect();
  commit(Lane::kReadings);
  settle();
  const std::string first = connector.published.back().payload;
  ack_all();
  advance(60s);

  EXPECT_EQ(connector.published.back().payload, first);
}

TEST_F(ReceiptTest, ResendsNothingThatReceiptsCover) {
  connect();
  commit_acked(10);
  receipt(10);
  advance(59min);

  for (const std::string& topic : topics()) EXPECT_EQ(topic, "status");
}

TEST_F(ReceiptTest, NewRecordsGoOnWhileOldOnesAreResent) {
  settings.uplink.max_inflight = 2;
  start();
  connect();
  commit_acked(6);
  advance(60s - 1ms);
  commit(Lane::kReadings, 3);
  advance(1ms);
  ack_all();

  EXPECT_THAT(sent(), ElementsAre("readings-1", "readings-7", "readings-2", "readings-8", "readings-9"));
}

TEST_F(ReceiptTest, ResendsAWindowThatALossLeftUnknown) {
  connect();
  commit_acked(3);
  advance(60s);
  lose();
  connector.published.clear();
  connect();

  EXPECT_THAT(sent(), ElementsAre("readings-1", "readings-2", "readings-3"));
}

TEST_F(ReceiptTest, HearsReceiptsThatWaitedAtTheBrokerBeforeItResends) {
  connect();
  commit_acked(3);
  lose();
  clock.advance(2h);
  connector.published.clear();
  connect();
  receipt(3);
  advance(1h);

  for (const std::string& topic : topics()) EXPECT_TRUE(topic == "status" || topic == "catalog") << topic;
}

TEST_F(ReceiptTest, CountsReceiptsThatTellNothingAndHarmsNothingByThem) {
  connect();
  commit_acked(5);
  receipt(3);
  receipt(3);              // doubled
  receipt(1);              // late
  receipt(99);             // future
  receipt(5, "feedfeed");  // unknown epoch
  for (const char* wrong :
       {"", "{", "[]", "5", R"({"epoch":"e0","lane":"readings"})", R"({"epoch":"e0","lane":"reading","upto":5})",
        R"({"epoch":"e0","lane":"readings","upto":-1})", R"({"epoch":"e0","lane":"readings","upto":5.5})",
        R"({"epoch":"e0","lane":"readings","upto":1e99})", R"({"epoch":7,"lane":"readings","upto":5})",
        R"({"epoch":"e0","lane":"readings","upto":"5"})"}) {
    receive(wrong);
  }

  EXPECT_EQ(counted().counted, 1);
  EXPECT_EQ(counted().nothing_new, 2);
  EXPECT_EQ(counted().ignored, 2);
  EXPECT_EQ(counted().malformed, 11);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 3);
}

TEST_F(ReceiptTest, TakesAReceiptThatOvertakesThePuback) {
  connect();
  commit(Lane::kReadings);
  settle();
  receipt(1);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 1);
  ack_all();
  connector.published.clear();
  advance(1min);

  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ReceiptTest, IgnoresAReceiptForWhatWasNeverSent) {
  connect();
  commit_acked(1);
  lose();
  commit(Lane::kReadings, 5);
  connect();
  for (int i = 0; i < 4; ++i) ack_oldest();
  EXPECT_EQ(outbox.sent_keys[0], 5);
  outbox.add(Lane::kReadings);  // 7, and nobody tells the forwarder
  receipt(7);

  EXPECT_EQ(counted().ignored, 1);
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 0);
}

TEST_F(ReceiptTest, GoesOnBehindThePubacksOfAnEarlierRunAndWaitsForTheirReceipts) {
  commit(Lane::kReadings, 5);
  outbox.sent_keys[0] = 3;
  outbox.delivered_keys[0] = 1;
  connect();
  EXPECT_THAT(sent(), ElementsAre("readings-4", "readings-5"));
  ack_all();
  advance(60s);

  EXPECT_THAT(sent(), ElementsAre("readings-2", "readings-3", "readings-4", "readings-5"));
}

TEST_F(ReceiptTest, WithoutItAPubackOfAnEarlierRunCountsAndReceiptsDoNot) {
  settings.uplink.receipts = false;
  start();
  commit(Lane::kReadings, 5);
  outbox.sent_keys[0] = 3;
  connect();
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 3);
  ack_all();
  EXPECT_EQ(outbox.delivered_up_to(Lane::kReadings), 5);
  receipt(5);

  EXPECT_EQ(counted().ignored, 1);
}

TEST_F(ReceiptTest, SendsTheEventThatTellsOfAGapBeforeTheRowsBehindItAreResent) {
  settings.uplink.max_inflight = 1;
  start();
  connect();
  commit_acked(2);
  const std::int64_t dropped = outbox.add(Lane::kEvents);
  outbox.rows.erase(1);
  outbox.after_event[2] = dropped;
  advance(60s);
  ack_all();

  EXPECT_THAT(sent(), ElementsAre("events-3", "readings-2"));
}

TEST_F(ReceiptTest, AResentRecordThatIsRefusedStopsItsLaneOnly) {
  settings.uplink.max_inflight = 1;
  start();
  outbox.add(Lane::kResults, "\"x\":\"poison\"");
  commit(Lane::kEvents, 1);
  connect();
  ack_all();
  outbox.sent_keys = {};
  for (int i = 0; i < 2000 && log.count("what=results") == 0; ++i) {
    if (connector.now == nullptr) {
      connect();
      continue;
    }
    if (connector.now->unacked.empty()) {
      advance(std::max<Nanos>(next - clock.mono(), 1ms));
      continue;
    }
    const bool bad = connector.now->unacked.front().message.payload.find("poison") != std::string::npos;
    clock.advance(5ms);
    bad ? lose() : ack_oldest();
  }

  EXPECT_TRUE(source(Source::kResults).refused);
  EXPECT_FALSE(source(Source::kEvents).refused);
}

}  // namespace
}  // namespace metergate
