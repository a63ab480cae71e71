#include <set>

#include "tests/wire/rst_proxy.h"
#include "tests/wire/uplink_fixture.h"
#include "tests/wire/whole_messages.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;

constexpr int kResets = 100;
constexpr std::size_t kWindow = 100;

class UplinkResetTest : public UplinkFixture {
 protected:
  /// Publishes as fast as the window allows until the connection is lost; numbers that were not acknowledged stay in
  /// `waiting`.
  void publish_until_lost(Try& one, RstProxy& proxy, Millis life) {
    const MonoTime end = clock.mono() + life;
    std::set<int> in_flight;
    for (auto lost = false; !lost;) {
      if (clock.mono() >= end) proxy.reset();
      std::set<Handle> acked;
      {
        const std::lock_guard<std::mutex> hold(one.told.mutex);
        acked.swap(one.told.acked);
        lost = one.told.lost > 0;
      }
      for (const Handle h : acked) {
        waiting.erase(static_cast<int>(h));
        in_flight.erase(static_cast<int>(h));
      }
      while (!lost && in_flight.size() < kWindow) {
        int n = 0;
        for (const int w : waiting) {
          if (in_flight.count(w) == 0) n = w;
        }
        if (n == 0) waiting.insert(n = ++last);
        if (!one.connection->publish(static_cast<Handle>(n), {"metergate/g1/readings", whole_payload(n), false})) break;
        in_flight.insert(n);
      }
    }
  }
  std::set<int> waiting;
  int last = 0;
};

// Paho C 1.3.12 frees a message whose write fails and keeps a pointer to it (eclipse/paho.mqtt.c issue 1592): a client
// that is used again publishes what lies there then. A connection that is used once has no next time.
TEST_F(UplinkResetTest, EveryMessageArrivesWholeThroughAHundredResetsInMidPublish) {
  Mosquitto broker;
  RstProxy proxy(broker.port());
  settings.options.brokers.front().port = proxy.port();
  settings.options.max_inflight = kWindow;
  const auto consumer = broker.subscriber("#");
  for (int i = 0; i < kResets; ++i) {
    const auto one = begin();
    ASSERT_TRUE(one->up()) << "after " << i << " resets: " << one->told.why;
    publish_until_lost(*one, proxy, Millis{3 + 4 * (i % 5)});
  }
  const auto one = begin();
  ASSERT_TRUE(one->up());
  for (const int n : waiting) {
    ASSERT_TRUE(one->publish(static_cast<Handle>(n), {"metergate/g1/readings", whole_payload(n), false}));
    ASSERT_TRUE(one->acked(static_cast<Handle>(n)));
  }
  Consumed got;
  while (got.numbers.size() < static_cast<std::size_t>(last)) {
    const std::string line = consumer->line(2s);
    if (line.empty()) break;
    if (line != "metergate/g1/status gone") got.take(line, "metergate/g1/readings");
  }

  EXPECT_EQ(proxy.connections(), kResets + 1);
  EXPECT_EQ(broker.logged("due to malformed packet"), 0);
  EXPECT_EQ(got.broken, 0) << got.sample;
  EXPECT_EQ(got.numbers.size(), static_cast<std::size_t>(last));
  EXPECT_GT(last, 10 * kResets);
  RecordProperty("published", last);
  RecordProperty("repeats", got.repeats);
}

}  // namespace
}  // namespace metergate
