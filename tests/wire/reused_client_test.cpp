#include <gtest/gtest.h>
#include <mqtt/async_client.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>

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

/// For 15 s, or until what nobody wrote has come to the broker or to a consumer.
bool garbles() {
  const SystemClock clock;
  Mosquitto broker;
  RstProxy proxy(broker.port());
  const auto consumer = broker.subscriber("#");
  Counted counted;  // outlives the client
  mqtt::async_client client("tcp://127.0.0.1:" + std::to_string(proxy.port()), "reused",
                            mqtt::create_options(MQTTVERSION_3_1_1, 600));
  mqtt::connect_options connect;
  connect.set_mqtt_version(MQTTVERSION_3_1_1);
  connect.set_clean_session(false);
  connect.set_max_inflight(600);
  Consumed got;
  int last = 0, resets = 0, unanswered = 0, malformed = 0;
  std::string trouble = "none";
  const MonoTime end = clock.mono() + 15s;
  while (got.broken + malformed == 0 && clock.mono() < end) {
    malformed = broker.logged("due to malformed packet");
    try {
      if (!client.connect(connect)->wait_for(5s)) {
        ++unanswered;
        continue;
      }
      client.subscribe("reused/own", 1)->wait_for(1s);  // so that the broker has a session to tell of
    } catch (const mqtt::exception& e) {
      trouble = e.what();  // the broker has closed it for what it was sent
      continue;
    }
    const MonoTime reset_at = clock.mono() + 100ms;
    bool resetting = false;
    try {
      while (client.is_connected() && clock.mono() < reset_at + 2s) {
        if (!resetting && clock.mono() >= reset_at) {
          resetting = true;
          ++resets;
          proxy.reset();
        }
        if (counted.in_flight >= 500) continue;
        ++counted.in_flight;
        ++last;
        client.publish(mqtt::make_message("metergate/g1/readings", whole_payload(last), 1, false), nullptr, counted);
      }
    } catch (const mqtt::exception&) {
      --counted.in_flight;
    }
    for (std::string line = consumer->line(20ms); !line.empty() && got.broken == 0; line = consumer->line(20ms)) {
      got.take(line, "metergate/g1/readings");
    }
    malformed = broker.logged("due to malformed packet");
  }
  std::cout << got.broken << " garbled, " << malformed << " malformed after " << resets << " resets and " << last
            << " messages; " << unanswered << " connects unanswered, last trouble: " << trouble
            << ", connections: " << proxy.connections() << std::endl;
  return got.broken + malformed > 0;
}

// The control of UplinkResetTest: the same resets, and one Paho client that is connected again and again. When this no
// longer garbles, the library was repaired, and a fresh client for each connection is no longer needed for it. Such a
// client may also never connect again, so there are several tries, each in a process of its own.
TEST(ReusedClient, PublishesWhatNobodyWrote) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(METERGATE_CLANG_SANITIZER)
  GTEST_SKIP() << "a sanitizer ends the program at the fault that this looks for";
#endif
  for (const char* proxy : {"http_proxy", "https_proxy"}) ::unsetenv(proxy);  // Paho would obey them
  int status = -1;
  for (int tries = 0; tries < 6 && status != 0; ++tries) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(18);  // it may hang when it ends, too
      ::_exit(garbles() ? 0 : 1);
    }
    ASSERT_EQ(::waitpid(child, &status, 0), child);
  }
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace metergate
