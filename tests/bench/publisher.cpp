// publisher PORT WINDOW TIMES < FILE: what Paho alone takes to publish the messages of a file, TIMES over, with so many
// in flight. FILE: four bytes of length (as this machine has them) before each payload. Prints messages, bytes and
// seconds.
#include <mqtt/async_client.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/clock.h"

namespace {

/// Lets so many messages be under way.
class Window : public mqtt::iaction_listener {
 public:
  explicit Window(int size) : size_(size) {}
  void enter() {
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [&] { return under_way_ < size_; });
    ++under_way_;
  }
  void wait_empty() {
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [&] { return under_way_ == 0; });
  }
  void on_success(const mqtt::token&) override {
    const std::lock_guard<std::mutex> hold(mutex_);
    --under_way_;
    changed_.notify_one();
  }
  void on_failure(const mqtt::token&) override {
    std::fprintf(stderr, "publisher: a message was not acknowledged\n");
    std::_Exit(1);
  }

 private:
  std::mutex mutex_;  // guards under_way_
  std::condition_variable changed_;
  const int size_;
  int under_way_ = 0;
};

std::vector<std::string> read_messages() {
  std::vector<std::string> messages;
  std::uint32_t length = 0;
  while (std::fread(&length, sizeof length, 1, stdin) == 1) {
    std::string payload(length, 0);
    if (std::fread(payload.data(), 1, length, stdin) != length) break;
    messages.push_back(std::move(payload));
  }
  return messages;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  const auto messages = read_messages();
  Window window(std::atoi(argv[2]));
  mqtt::async_client client(std::string("tcp://127.0.0.1:") + argv[1], "bare-publisher");
  mqtt::connect_options options;
  options.set_max_inflight(std::atoi(argv[2]) + 1);
  client.connect(options)->wait();
  const metergate::SystemClock clock;
  const auto begin = clock.mono();
  std::size_t count = 0, bytes = 0;
  for (int time = 0; time < std::atoi(argv[3]); ++time) {
    for (const std::string& payload : messages) {
      window.enter();
      client.publish("metergate/gw/readings", payload.data(), payload.size(), 1, false, nullptr, window);
      ++count;
      bytes += payload.size();
    }
  }
  window.wait_empty();
  const std::chrono::duration<double> took = clock.mono() - begin;
  std::printf("{\"messages\":%zu,\"bytes\":%zu,\"seconds\":%.3f}\n", count, bytes, took.count());
  client.disconnect()->wait();
  return 0;
}
