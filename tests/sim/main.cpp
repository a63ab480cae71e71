#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "tests/sim/control.h"
#include "tests/sim/options.h"
#include "tests/sim/pty_port.h"
#include "tests/sim/tcp_port.h"
#include "tests/sim/text.h"

namespace metersim {
namespace {

/// SIGTERM and SIGINT end the program, SIGUSR1 writes the statistics.
class Signals : public Participant {
 public:
  Signals(std::string stats_file, const Station& station) : stats_file_(std::move(stats_file)), station_(station) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, number);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  ~Signals() override { close(fd_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void watch(std::vector<pollfd>& fds) const override { fds.push_back({fd_, POLLIN, 0}); }
  void ready(int, short, Nanos) override {
    signalfd_siginfo info{};
    if (read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
    if (info.ssi_signo == SIGUSR1)
      write_stats();
    else
      running_ = false;
  }

  /// By a rename, so that a reader never sees half of it.
  void write_stats() const {
    if (stats_file_.empty()) return;
    const std::string fresh = stats_file_ + ".new";
    std::ofstream(fresh) << station_.stats_json() << '\n';
    if (std::rename(fresh.c_str(), stats_file_.c_str()) != 0) std::perror("metersim: --stats");
  }

  const bool& running() const { return running_; }

 private:
  std::string stats_file_;
  const Station& station_;
  int fd_ = -1;
  bool running_ = true;
};

int run(Options options) {
  if (options.die_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
  Journal journal(options.log, options.log_values);
  Station station(std::move(options.meters), std::move(options.item_meters),
                  options.replay.empty() ? Replay() : Replay(options.replay), journal);
  Signals signals(options.stats, station);

  std::vector<std::unique_ptr<Port>> ports;
  for (const auto& link : options.ptys) ports.push_back(std::make_unique<PtyPort>(link, options.timing, station));
  for (const int port : options.tcp_ports)
    ports.push_back(std::make_unique<MbapPort>(port, options.timing.late_drop, station));
  for (const int port : options.rtu_tcp_ports)
    ports.push_back(std::make_unique<RtuTcpPort>(port, options.timing, station));
  std::vector<Port*> lines;
  for (const auto& port : ports) lines.push_back(port.get());

  Control control(options.control, station, lines);
  for (const auto& fault : options.faults) control.execute(fault, monotonic_now());

  std::vector<Participant*> participants{&signals, &control};
  participants.insert(participants.end(), lines.begin(), lines.end());
  for (const auto* line : lines) std::printf("ready %s\n", line->description().c_str());
  std::fflush(stdout);
  run_loop(participants, signals.running());
  signals.write_stats();
  return 0;
}

}  // namespace
}  // namespace metersim

int main(int argc, char** argv) {
  try {
    const auto options = metersim::parse_options({argv + 1, argv + argc});
    if (!options.help) return metersim::run(options);
    std::fputs(metersim::kHelp, stdout);
    return 0;
  } catch (const metersim::Refused& why) {
    std::fprintf(stderr, "metersim: %s\n", why.what());
    return 64;
  }
}
