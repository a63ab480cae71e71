#include <algorithm>
#include <thread>

#include "agent/base/wake.h"
#include "agent/uplink/forwarder.h"
#include "tests/fakes/fake_archive.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/fake_uplink_host.h"
#include "tests/fakes/recording_store.h"
#include "tests/wire/uplink_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;

/// A FakeOutbox for several threads.
class LockedOutbox : public FakeOutbox {
 public:
  Result<Batch> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes) override {
    const std::lock_guard<std::mutex> hold(mutex);
    return FakeOutbox::peek(lane, after, max_rows, max_bytes);
  }
  void delivered(Lane lane, std::int64_t key) override {
    const std::lock_guard<std::mutex> hold(mutex);
    FakeOutbox::delivered(lane, key);
  }
  void put(Lane lane, int count) {
    const std::lock_guard<std::mutex> hold(mutex);
    for (int i = 0; i < count; ++i) add(lane, "\"value\":123456", 200);
  }
  bool done(Lane lane, std::int64_t key) {
    const std::lock_guard<std::mutex> hold(mutex);
    return delivered_up_to(lane) >= key;
  }
  std::mutex mutex;  // guards the FakeOutbox
};

/// The forwarder on a thread of its own, over a real connection. Each command gets a result at once.
class ForwarderOverMqttTest : public UplinkFixture {
 protected:
  class Host : public FakeUplinkHost {
   public:
    explicit Host(ForwarderOverMqttTest& test) : test_(test) {}
    void wake_uplink() override { test_.wake.notify(); }
    bool take_command(const Message& message) override {
      test_.outbox.put(Lane::kResults, 1);
      test_.forwarder->committed();
      return !message.payload.empty();
    }

   private:
    ForwarderOverMqttTest& test_;
  };

  void run(const Mosquitto& broker) {
    settings.options.brokers.front().port = broker.port();
    settings.options.backoff_min = settings.options.backoff_max = 100ms;
    ASSERT_TRUE(make_connector());
    Forwarder::Parts parts;
    parts.connector = connector.get();
    parts.outbox = &outbox;
    parts.key_values = &memory;
    parts.replayer = &replayer;
    parts.host = &host;
    parts.log = &log.log;
    parts.draw = system_draw();
    parts.settings = {"g1", topics_of("metergate", "g1"), settings.options};
    forwarder = std::make_unique<Forwarder>(std::move(parts));
    thread = std::thread([this] {
      for (;;) {
        if (stop) forwarder->stop(clock.mono());
        const MonoTime next = forwarder->step(clock.mono());
        if (forwarder->stopped()) return;
        wake.wait_until(next);
      }
    });
  }
  void TearDown() override {
    stop = true;
    wake.notify();
    if (thread.joinable()) thread.join();
  }
  Replayer::Parts replayer_parts() {
    Replayer::Parts parts;
    parts.archive = &archive;
    parts.inbox = &inbox;
    parts.key_values = &memory;
    parts.clock = &clock;
    parts.gateway = "g1";
    parts.given = parts.ended = [] {};
    return parts;
  }
  bool delivered(Lane lane, std::int64_t key, Millis patience) {
    const MonoTime end = clock.mono() + patience;
    while (!outbox.done(lane, key) && clock.mono() < end) pause_for(5ms);
    return outbox.done(lane, key);
  }

  Wake wake;
  LockedOutbox outbox;
  FakeKeyValueStore memory;
  Host host{*this};
  RecordingStore inbox;
  FakeArchive archive;
  Replayer replayer{replayer_parts()};
  std::atomic<bool> stop{false};
  std::unique_ptr<Forwarder> forwarder;
  std::thread thread;
};

TEST_F(ForwarderOverMqttTest, DrainsABacklogThroughRestartsOfTheBroker) {
  Mosquitto broker;
  outbox.put(Lane::kReadings, 20'000);
  run(broker);
  for (const int part : {2'000, 6'000}) {
    ASSERT_TRUE(delivered(Lane::kReadings, part, 10s));
    broker.stop();
    broker.start();
  }

  EXPECT_TRUE(delivered(Lane::kReadings, 20'000, 20s));
  EXPECT_GE(forwarder->state().session.losses, 1);
  EXPECT_GE(forwarder->state().session.sessions_lost, 1);
}

TEST_F(ForwarderOverMqttTest, DrainsABacklogThroughABrokerThatTakesOnlySmallPackets) {
  Mosquitto broker({"allow_anonymous true", "max_packet_size 8000"});
  outbox.put(Lane::kReadings, 5'000);
  run(broker);

  EXPECT_TRUE(delivered(Lane::kReadings, 5'000, 30s));
  EXPECT_LE(forwarder->state().session.losses, 6);
  EXPECT_EQ(log.count("ends the connection at larger messages"), 1);
}

// A PUBACK and a result are two small writes one after the other: with Nagle's algorithm the second waits for the
// acknowledgement of the first, which the other side delays by 40 ms.
TEST_F(ForwarderOverMqttTest, AnswersACommandWithoutWaitingForADelayedAcknowledgement) {
  Mosquitto broker({"allow_anonymous true", "set_tcp_nodelay true"});  // its own half of the way
  run(broker);
  ASSERT_EQ(broker.logged("Sending SUBACK to metergate-g1", 1), 1);
  ConnectorSettings other = settings;
  other.options.client_id = "backend";
  other.will_topic = "backend/will";
  other.resolve = [](const std::string&, Millis) { return std::vector<std::string>{"127.0.0.1"}; };
  const auto backend = make_mqtt_connector(other);
  ASSERT_TRUE(backend);
  Try one;
  one.connection = (*backend)->make(one.told);
  one.connection->start();
  ASSERT_TRUE(one.up() && one.subscribe({"metergate/g1/results"}));
  std::vector<Nanos> round_trips;
  for (std::size_t i = 1; i <= 50; ++i) {
    const MonoTime asked = clock.mono();
    ASSERT_TRUE(one.publish(static_cast<Handle>(i), {"metergate/g1/commands", "read", false}));
    ASSERT_TRUE(one.told.wait([&] { return one.told.messages.size() >= i; }));
    round_trips.push_back(clock.mono() - asked);
  }
  std::sort(round_trips.begin(), round_trips.end());

  EXPECT_LT(round_trips[25], 30ms);
  RecordProperty("median_us", static_cast<int>(round_trips[25].count() / 1000));
}

TEST_F(ForwarderOverMqttTest, SaysOfflineBeforeItGoes) {
  Mosquitto broker;
  const auto consumer = broker.subscriber("metergate/g1/status");
  run(broker);
  EXPECT_EQ(consumer->line(3s), "metergate/g1/status " + host.status_payload(true));
  const MonoTime begin = clock.mono();
  TearDown();

  EXPECT_LT(clock.mono() - begin, 2s);
  EXPECT_EQ(consumer->line(3s), "metergate/g1/status offline");
  EXPECT_EQ(consumer->line(200ms), "");
}

}  // namespace
}  // namespace metergate
