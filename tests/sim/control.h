#pragma once

#include <string>

#include "tests/sim/loop.h"

namespace metersim {

/// A unix datagram socket: one command a datagram, answered with `ok`, an error, or what was asked for, where the
/// sender has a name.
class Control : public Participant {
 public:
  /// Throws Refused.
  Control(std::string path, Station& station, std::vector<Port*> ports);
  ~Control() override;

  void watch(std::vector<pollfd>& fds) const override {
    if (socket_ >= 0) fds.push_back({socket_, POLLIN, 0});
  }
  void ready(int fd, short events, Nanos now) override;

  /// A command of Station, or `unplug[=N]`, `plug[=N]` (the Nth line, from 0; all without), `stats`. Throws Refused.
  std::string execute(const std::string& command, Nanos now);

 private:
  std::string path_;
  Station& station_;
  std::vector<Port*> ports_;
  int socket_ = -1;
};

}  // namespace metersim
