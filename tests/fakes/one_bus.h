#pragma once

#include <string>
#include <utility>

#include "agent/config/site.h"

namespace metergate {

/// A bus with meters of one small profile, put together without flags.
class OneBus {
 public:
  explicit OneBus(const std::string& profile_lines = "", const std::string& hole = "0",
                  const std::string& more_points = "") {
    profile_ = *parse_profile(
        "small", "small.ini",
        "[profile]\nformat = 1\nname = Small\nmaker = None\nmodel = Small\nhole = " + hole + "\n" + profile_lines +
            "[points]\npower = holding 10 u16\nenergy = holding 100 u32 unit=kWh\n"
            "relay = holding 200 u16 enum=0:off|1:on write=register allow=0|1 verify=relay after 500ms\n"
            "limit = holding 300 u16 write=register\n" +
            more_points,
        [](const std::string&) { return std::nullopt; });
    bus.spec.name = "rs485-1";
    bus.spec.retries = 1;
  }

  std::size_t meter(const std::string& id, int unit, int retries = 1) {
    MeterConfig m;
    m.spec.id = id;
    m.spec.unit = unit;
    m.spec.profile = "small";
    m.spec.bus = bus.spec.name;
    m.spec.writable = true;
    m.profile = &profile_;
    m.target.address = std::to_string(unit);
    m.retries = retries;
    bus.meters.push_back(m);
    return bus.meters.size() - 1;
  }
  void poll(std::size_t meter, Millis every, std::vector<std::string> points, const std::string& name = "main") {
    PollConfig p;
    p.meter = meter;
    p.name = name;
    p.every = every;
    for (const std::string& point : points) p.points.push_back(profile_.find(point));
    bus.polls.push_back(p);
  }
  const Profile& profile() const { return profile_; }

  BusConfig bus;

 private:
  Profile profile_;
};

}  // namespace metergate
