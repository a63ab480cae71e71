#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/fake_bus.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {

/// A bus with the meter m1, polled as `main`, of a profile with these points; on virtual time.
class OneMeterTest : public ::testing::Test, public WorkerBench {
 protected:
  explicit OneMeterTest(const std::string& points)
      : profile_(*parse_profile(
            "one", "one.ini",
            "[profile]\nformat = 1\nname = One\nmaker = None\nmodel = One\nhole = 0\n[points]\n" + points,
            [](const std::string&) { return std::nullopt; })),
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
  /// What the key-value store holds is all that is left of the process before.
  void restart() {
    line_.close();
    WorkerBench::start(bus_, line_);
  }

  Profile profile_;
  FakeBus line_;
  BusConfig bus_;
};

}  // namespace metergate
