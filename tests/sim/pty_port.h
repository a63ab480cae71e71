#pragma once

#include <string>

#include "tests/sim/loop.h"
#include "tests/sim/rtu_wire.h"

namespace metersim {

/// A pseudo terminal behind a symbolic link, its bytes paced as on a serial line.
class PtyPort : public Port {
 public:
  /// Throws Refused.
  PtyPort(std::string link, const LineTiming& timing, Station& station);
  ~PtyPort() override;

  void watch(std::vector<pollfd>& fds) const override;
  void ready(int fd, short events, Nanos now) override;
  std::optional<Due> deadline() const override { return wire_.deadline(); }
  void step(Nanos now) override { wire_.step(now); }
  void unplug(Nanos now) override;
  void plug(Nanos now) override;
  std::string description() const override { return "pty " + link_; }

 private:
  bool hears() const;
  void hung_up(Nanos now);
  void reset(Nanos now);
  bool has_master() const;
  void make_terminal();
  /// False: nobody can open it any more.
  bool reset_terminal();
  void forget_opens();
  void write_out(const std::uint8_t* data, std::size_t size);

  std::string link_;
  Station& station_;
  const int heeded_baud_;
  RtuWire wire_;
  std::string slave_;
  int master_ = -1;
  int opens_ = -1;     ///< inotify: tells when the slave is opened
  bool open_ = false;  ///< somebody has the slave open, as far as is known
};

}  // namespace metersim
