#include <gtest/gtest.h>
#include <mqtt/async_client.h>

#include <atomic>
#include <optional>

#include "agent/base/clock.h"
#include "tests/wire/rst_proxy.h"
#include "tests/wire/whole_messages.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define METERGATE_CLANG_SANITIZER
#endif
#endif

namespace metergate {
namespace {

using namespace std::chrono_literals;

/// Counts what is in flight, as a program would that trusts the library with the rest.
class Counted : public mqtt::iaction_listener {
 public:
  std::atomic<int> in_flight{0};

 private:
  void on_success(const mqtt::token&) override { --in_flight; }
  void on_failure(const mqtt::token&) override { --in_flight; }
};

// The control of UplinkResetTest: the same resets, and one Paho client that is connected again and again. When this no
// longer garbles, the library was repaired, and a fresh client for each connection is no longer needed for it.
TEST(ReusedClient, PublishesWhatNobodyWrote) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(METERGATE_CLANG_SANITIZER)
  GTEST_SKIP() << "a sanitizer ends the program at the fault that this looks for";
#endif
  const SystemClock clock;
  Mosquitto broker;
  RstProxy proxy(broker.port());
  const auto consumer = broker.subscriber("#");
  Counted counted;  // outlives the client
  mqtt::create_options create(MQTTVERSION_3_1_1, 600);
  std::optional<mqtt::async_client> client;
  const auto make_client = [&] { client.emplace("tcp://127.0.0.1:" + std::to_string(proxy.port()), "reused", create); };
  mqtt::connect_options connect;
  connect.set_mqtt_version(MQTTVERSION_3_1_1);
  connect.set_clean_session(false);
  connect.set_max_inflight(600);
  Consumed got;
  int last = 0;
  const MonoTime end = clock.mono() + 90s;
  int resets = 0;
  int malformed = 0;
  make_client();
  while (got.broken + malformed == 0 && clock.mono() < end) {
    malformed = broker.logged("due to malformed packet");
    try {
      if (!client->connect(connect)->wait_for(5s)) {
        proxy.reset();  // this client would hang in its first try for ever
        make_client();
        continue;
      }
      client->subscribe("reused/own", 1)->wait_for(1s);  // so that the broker has a session to tell of
    } catch (const mqtt::exception&) {
      if (resets == 0) make_client();  // else the broker has closed it for what it was sent
      continue;
    }
    const MonoTime reset_at = clock.mono() + 100ms;
    bool resetting = false;
    try {
      while (client->is_connected() && clock.mono() < reset_at + 2s) {
        if (!resetting && clock.mono() >= reset_at) {
          resetting = true;
          ++resets;
          proxy.reset();
        }
        if (counted.in_flight >= 500) continue;
        ++counted.in_flight;
        ++last;
        client->publish(mqtt::make_message("metergate/g1/readings", whole_payload(last), 1, false), nullptr, counted);
      }
    } catch (const mqtt::exception&) {
      --counted.in_flight;
    }
    for (std::string line = consumer->line(20ms); !line.empty() && got.broken == 0; line = consumer->line(20ms)) {
      got.take(line, "metergate/g1/readings");
    }
    malformed = broker.logged("due to malformed packet");
  }

  EXPECT_GT(got.broken + malformed, 0) << "after " << resets << " resets and " << last << " messages";
  RecordProperty("garbled", got.broken);
  RecordProperty("malformed", malformed);
  RecordProperty("resets", resets);
  RecordProperty("published", last);
}

}  // namespace
}  // namespace metergate
