#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/bus/bus_worker.h"
#include "tests/fakes/captured_log.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/recording_store.h"

namespace metergate {

/// A BusWorker with all that it works with, without a thread, on virtual time.
class WorkerBench {
 public:
  WorkerBench() : log_(clock_), events_(store_, clock_) {}

  /// Again: only the key-value store is left of the process before.
  void start(const BusConfig& config, Bus& bus) {
    worker_.reset();
    pause_.reset();
    serials_ = std::make_unique<SerialRegistry>();
    BusPause::Parts pause;
    pause.bus = config.spec.name;
    pause.key_values = &values_;
    pause.clock = &clock_;
    pause.log = &log_.log;
    pause_ = std::make_unique<BusPause>(std::move(pause));
    BusParts parts;
    parts.config = &config;
    parts.bus = &bus;
    parts.pause = pause_.get();
    parts.outbox = &store_;
    parts.inbox = &store_;
    parts.key_values = &values_;
    parts.events = &events_;
    parts.serials = serials_.get();
    parts.clock = &clock_;
    parts.log = &log_.log;
    parts.draw = [this] { return draw_; };
    parts.catalog = "0000cafe";
    parts.clock_rule.built = built_;
    parts.writes_allowed = [this] { return writes_allowed_; };
    parts.reading = [this](const Reading& reading) { on_reading_(reading); };
    worker_ = std::make_unique<BusWorker>(std::move(parts));
  }

  /// Steps until the time is over; the clock jumps to the next thing that the worker waits for.
  void run(Nanos time) {
    const MonoTime end = clock_.mono() + time;
    while (clock_.mono() < end) {
      const MonoTime next = worker_->step(clock_.mono());
      if (next > clock_.mono()) clock_.sleep_until(std::min(next, end));
    }
  }

  static std::string text(const Json& json, const char* name) { return json.find(name)->as_text().value_or("?"); }
  /// The details of the events of this name.
  std::vector<Json> events(const std::string& name) const {
    std::vector<Json> found;
    for (const Json& event : store_.events) {
      if (text(event, "event") == name) found.push_back(*event.find("detail"));
    }
    return found;
  }

  FakeClock clock_;
  CapturedLog log_;
  RecordingStore store_;
  Events events_;
  FakeKeyValueStore values_;
  UtcTime built_{};
  bool writes_allowed_ = true;
  double draw_ = 0;  ///< for the pauses between connects
  std::function<void(const Reading&)> on_reading_ = [](const Reading&) {};
  std::unique_ptr<SerialRegistry> serials_;
  std::unique_ptr<BusPause> pause_;
  std::unique_ptr<BusWorker> worker_;
};

}  // namespace metergate
