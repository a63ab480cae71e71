#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "agent/admin/control_handlers.h"
#include "agent/admin/unix_socket.h"
#include "agent/bus/frame_ring.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/one_bus.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

namespace {

/// A store with one thing of each kind in it.
class SmallStore : public StoreView {
 public:
  Result<StorePage<DropEntry>> drops(std::int64_t after) override {
    return page(after, DropEntry{1, Lane::kReadings, "e", 1, 2});
  }
  Result<StorePage<DeadEntry>> dead_letters(std::int64_t after) override {
    return page(after, DeadEntry{1, {}, "topic", "why", std::string("\xff\0{\"", 4)});
  }
  Result<StorePage<CommandEntry>> commands(std::int64_t after) override {
    return page(after, CommandEntry{1, "id", "bus", "{", true, false, {}, ""});
  }
  Result<StorePage<RecordEntry>> records(const RecordSpan&, std::int64_t after) override {
    return page(after, RecordEntry{1, "{}"});
  }

 private:
  template <class T>
  static Result<StorePage<T>> page(std::int64_t after, T entry) {
    StorePage<T> found;
    if (after < 1) found.rows.push_back(std::move(entry));
    return found;
  }
};

/// An agent of one bus behind its socket. What waits for the bus is answered at once.
class Agent {
 public:
  Agent() : pause_(pause_parts()) {
    line_.meter("m", 7);
    site_.buses.push_back(line_.bus);
    parts_.site = &site_;
    parts_.clock = &clock_;
    parts_.pauses["rs485-1"] = &pause_;
    parts_.give["rs485-1"] = [](const OpenCommand& open) {
      CommandResult result;
      result.registers = Words(3, 7);
      open.local->answer(result);
      return true;
    };
    parts_.frames["rs485-1"] = &frames_;
    parts_.answered = [] {};
    parts_.store = &store_;
    parts_.store_path = "/store";
    parts_.uplink = &uplink_;
    parts_.forwarder = [] { return ForwarderState{}; };
    path_ = std::filesystem::temp_directory_path() / ("metergate-fuzz-" + std::to_string(::getpid()));
    server_ = std::move(*ControlServer::open(path_, control_handlers(parts_), clock_, log_));
  }

  Fd connect() { return std::move(*connect_unix(path_, Millis{1000})); }
  void step() {
    pause_.grant(pause_.wish(clock_.mono()).number);
    server_->step(clock_.mono());
  }

 private:
  BusPause::Parts pause_parts() {
    BusPause::Parts parts;
    parts.bus = "rs485-1";
    parts.key_values = &key_values_;
    parts.clock = &clock_;
    parts.log = &log_;
    return parts;
  }

  FakeClock clock_;
  Log log_{LogLevel::kError, LogFormat::kText, clock_};
  FakeKeyValueStore key_values_;
  OneBus line_;
  Site site_;
  BusPause pause_;
  FakeBus bus_{clock_};
  FrameRing frames_{bus_, clock_};
  SmallStore store_;
  UplinkOptions uplink_;
  ControlParts parts_;
  std::string path_;
  std::unique_ptr<ControlServer> server_;
};

std::string read_all(const Fd& socket) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

/// What a process on the same machine may write to the socket, in pieces: the first byte of each is its length. Every
/// line of every answer is JSON, and the server serves the next one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Agent agent;
  Fd client = agent.connect();
  std::string answers;
  for (std::size_t at = 0; at < size;) {
    const std::size_t length = std::min<std::size_t>(data[at], size - at - 1);
    ::send(client.get(), data + at + 1, length, MSG_NOSIGNAL);
    at += 1 + length;
    agent.step();
    answers += read_all(client);
  }
  ::shutdown(client.get(), SHUT_WR);
  for (int i = 0; i < 8; ++i) agent.step();
  answers += read_all(client);
  for (std::size_t at = 0; at < answers.size();) {
    const std::size_t end = answers.find('\n', at);
    must(end != std::string::npos, "an answer ends its line");
    must(static_cast<bool>(parse_json(answers.substr(at, end - at))), "an answer is JSON");
    at = end + 1;
  }
  client = agent.connect();
  const std::string request = "{\"ask\":\"buses\"}\n";
  ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
  agent.step();
  must(read_all(client).find("rs485-1") != std::string::npos, "the next one is served");
  return 0;
}
