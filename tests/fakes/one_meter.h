#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "agent/bus/bus_worker.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/fake_outbox.h"
#include "tests/fakes/recording_store.h"

namespace metergate {

/// A bus with the meter m1, polled as `main`, of a profile with these points; on virtual time.
class OneMeterTest : public ::testing::Test {
 protected:
  explicit OneMeterTest(const std::string& points)
      : profile_(*parse_profile(
            "one", "one.ini",
            "[profile]\nformat = 1\nname = One\nmaker = None\nmodel = One\nhole = 0\n[points]\n" + points,
            [](const std::string&) { return std::nullopt; })),
        log_(LogLevel::kError, LogFormat::kText, clock_),
        events_(store_, clock_),
        line_(clock_) {
    bus_.spec.name = "rs485-1";
    add_meter("m1", 1);
  }

  void add_meter(const std::string& id, int unit) {
    MeterConfig meter;
    meter.spec.id = id;
    meter.spec.unit = unit;
    meter.profile = &profile_;
    meter.target.address = std::to_string(unit);
    bus_.meters.push_back(meter);
  }
  void add_poll(std::size_t meter, Millis every, const std::vector<std::string>& points, const std::string& name) {
    PollConfig poll;
    poll.meter = meter;
    poll.name = name;
    poll.every = every;
    for (const std::string& point : points) poll.points.push_back(profile_.find(point));
    bus_.polls.push_back(poll);
  }

  /// With the first meter's poll `main`.
  void start(Millis every, const std::vector<std::string>& points) {
    add_poll(0, every, points, "main");
    restart();
  }
  /// What the store remembers is all that is left of the process before.
  void restart() {
    line_.close();
    serials_ = std::make_unique<SerialRegistry>();
    pause_ = std::make_unique<BusPause>(BusPause::Parts{"rs485-1", values_, clock_, log_, [] {}, [] {}});
    worker_ = std::make_unique<BusWorker>(BusWorker::Parts{bus_, line_, store_, store_, events_, clock_, log_,
                                                           [] { return 0.0; }, "0000cafe", ClockRule{},
                                                           [] { return true; }, *pause_, values_, *serials_, [] {}});
  }
  /// Steps until the time is over; the clock jumps to the next thing that the worker waits for.
  void run(Millis time) {
    const MonoTime end = clock_.mono() + time;
    while (clock_.mono() < end) {
      const MonoTime next = worker_->step(clock_.mono());
      if (next > clock_.mono()) clock_.sleep_until(std::min(next, end));
    }
  }

  static std::string text(const Json& json, const char* name) { return json.find(name)->as_text().value_or("?"); }
  std::vector<Json> events(const std::string& name) const {
    std::vector<Json> found;
    for (const Json& event : store_.events) {
      if (text(event, "event") == name) found.push_back(*event.find("detail"));
    }
    return found;
  }

  Profile profile_;
  FakeClock clock_;
  Log log_;
  RecordingStore store_;
  Events events_;
  FakeBus line_;
  BusConfig bus_;
  FakeMemory values_;
  std::unique_ptr<SerialRegistry> serials_;
  std::unique_ptr<BusPause> pause_;
  std::unique_ptr<BusWorker> worker_;
};

}  // namespace metergate
