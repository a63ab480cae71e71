#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/uplink/forwarder.h"
#include "tests/fakes/captured_log.h"
#include "tests/fakes/fake_archive.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connector.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/fake_uplink_host.h"
#include "tests/fakes/recording_store.h"

namespace metergate {

using namespace std::chrono_literals;

inline const std::string kBase = "metergate/g1/";

/// The ids in a message's payload, or nothing that looks like one.
inline std::vector<std::string> ids(const std::string& payload) {
  const std::string mark = "\"id\":\"";
  std::vector<std::string> found;
  for (std::size_t at = payload.find(mark); at != std::string::npos; at = payload.find(mark, at + 1)) {
    const std::size_t from = at + mark.size();
    found.push_back(payload.substr(from, payload.find('"', from) - from));
  }
  return found;
}

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() {
    settings.gateway = "g1";
    settings.topics = topics_of("metergate", "g1");
    settings.uplink.max_inflight = 4;
    host.wake = [this] { ++woken; };
  }
  void SetUp() override { start(); }

  void start() { forwarder = std::make_unique<Forwarder>(parts(replayer)); }
  Forwarder::Parts parts(Replayer& with) {
    Forwarder::Parts out;
    out.connector = &connector;
    out.outbox = &outbox;
    out.key_values = &memory;
    out.replayer = &with;
    out.host = &host;
    out.log = &log.log;
    out.draw = [] { return 0.0; };
    out.settings = settings;
    return out;
  }
  Replayer::Parts replayer_parts() {
    Replayer::Parts out;
    out.archive = &archive;
    out.inbox = &inbox;
    out.key_values = &memory;
    out.clock = &clock;
    out.gateway = "g1";
    out.given = [this] { ++woken; };
    out.ended = [this] { ++replays_ended; };
    return out;
  }

  void settle() {
    do {
      woken = 0;
      next = forwarder->step(clock.mono());
    } while (woken > 0);
  }
  void advance(Nanos d) {
    clock.advance(d);
    settle();
  }
  /// Up, with the first status and catalogs acknowledged and forgotten.
  void connect() {
    constexpr Millis kRoundTrip{200};  // small messages that take so long open no window
    while (connector.now == nullptr) {
      clock.advance(std::max<Nanos>(next - clock.mono(), 1ms));
      settle();
    }
    connector.now->accept(true);
    settle();
    connector.now->grant();
    settle();
    clock.advance(kRoundTrip);
    ack("status");
    while (in_flight("catalog") > 0) {
      clock.advance(kRoundTrip);
      ack("catalog");
    }
  }
  void ack_oldest() {
    connector.now->ack(connector.now->unacked.front());
    settle();
  }
  void ack_all() {
    while (!connector.now->unacked.empty()) ack_oldest();
  }
  /// The oldest in flight on a topic.
  void ack(const std::string& topic) {
    for (const auto& p : connector.now->unacked) {
      if (p.message.topic != kBase + topic) continue;
      connector.now->ack(p);
      return settle();
    }
    FAIL() << "nothing in flight on " << topic;
  }
  void lose() {
    connector.now->lose();
    settle();
  }
  std::size_t in_flight(const std::string& topic) const {
    std::size_t n = 0;
    for (const auto& p : connector.now->unacked) n += p.message.topic == kBase + topic ? 1 : 0;
    return n;
  }
  /// Topics without their common beginning, since the last call.
  std::vector<std::string> topics() {
    std::vector<std::string> found;
    for (const Message& m : connector.published) found.push_back(m.topic.substr(kBase.size()));
    connector.published.clear();
    return found;
  }
  /// Ids of all records that were published since the last call.
  std::vector<std::string> sent() {
    std::vector<std::string> found;
    for (const Message& m : connector.published) {
      for (std::string& id : ids(m.payload)) found.push_back(std::move(id));
    }
    connector.published.clear();
    return found;
  }
  std::int64_t commit(Lane lane, int count = 1, std::size_t size = 0) {
    std::int64_t key = 0;
    for (int i = 0; i < count; ++i) key = outbox.add(lane, {}, size);
    forwarder->committed();
    return key;
  }
  SourceState source(Source s) const { return forwarder->state().sources[index_of(s)]; }

  FakeClock clock;
  CapturedLog log{clock};
  FakeConnector connector;
  FakeOutbox outbox;
  FakeKeyValueStore memory;
  FakeUplinkHost host;
  RecordingStore inbox;
  FakeArchive archive;
  Replayer replayer{replayer_parts()};
  int replays_ended = 0;
  ForwarderSettings settings;
  int woken = 0;
  MonoTime next{};
  std::unique_ptr<Forwarder> forwarder;
};

}  // namespace metergate
