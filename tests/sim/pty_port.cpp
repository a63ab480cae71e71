#include "tests/sim/pty_port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <map>

#include "tests/sim/text.h"

namespace metersim {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Refused(what + ": " + strerror(errno)); }

bool is_link_or_nothing(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) != 0 || S_ISLNK(status.st_mode);
}

}  // namespace

PtyPort::PtyPort(std::string link, const LineTiming& timing, Station& station)
    : link_(std::move(link)),
      station_(station),
      heeded_baud_(timing.heeded_baud),
      wire_(link_, timing, station, [this](const std::uint8_t* data, std::size_t size) { write_out(data, size); }) {
  if (!is_link_or_nothing(link_)) throw Refused("--pty " + link_ + " exists and is no symbolic link");
  plug(0);
}

PtyPort::~PtyPort() { unplug(0); }

void PtyPort::plug(Nanos now) {
  if (master_ < 0) make_terminal();
  reset(now);
}

void PtyPort::unplug(Nanos now) {
  if (master_ < 0) return;
  unlink(link_.c_str());
  close(master_);
  close(opens_);
  master_ = opens_ = -1;
  wire_.hang_up(now);
}

void PtyPort::make_terminal() {
  master_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  char name[64];
  if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0 || ptsname_r(master_, name, sizeof name) != 0)
    refuse("pty");
  slave_ = name;
  opens_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (opens_ < 0 || inotify_add_watch(opens_, name, IN_OPEN) < 0) refuse("inotify on " + slave_);
  const std::string fresh = link_ + ".new";
  unlink(fresh.c_str());
  if (symlink(name, fresh.c_str()) != 0 || rename(fresh.c_str(), link_.c_str()) != 0) refuse("--pty " + link_);
}

void PtyPort::watch(std::vector<pollfd>& fds) const {
  if (master_ < 0) return;
  // A master without a slave reports its hang-up for ever: then only an open is waited for.
  fds.push_back(open_ ? pollfd{master_, POLLIN, 0} : pollfd{opens_, POLLIN, 0});
}

void PtyPort::ready(int fd, short events, Nanos now) {
  if (master_ < 0) return;
  if (fd == opens_) {
    forget_opens();
    open_ = true;
    return;
  }
  std::uint8_t buffer[512];
  const ssize_t size = (events & POLLIN) != 0 ? read(master_, buffer, sizeof buffer) : 0;
  if (size > 0 && hears())
    wire_.receive(buffer, static_cast<std::size_t>(size), now);
  else if (size <= 0 && (events & (POLLHUP | POLLERR)) != 0)
    hung_up(now);
}

/// Both ends of a pty have one termios. Bytes at another speed would be noise to a meter.
bool PtyPort::hears() const {
  static const std::map<int, speed_t> speeds = {{1200, B1200},   {2400, B2400},   {4800, B4800},   {9600, B9600},
                                                {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};
  if (heeded_baud_ == 0) return true;
  termios settings{};
  const auto speed = speeds.find(heeded_baud_);
  return speed != speeds.end() && tcgetattr(master_, &settings) == 0 && cfgetospeed(&settings) == speed->second;
}

/// The next master may be there already, and has set its speed: that stays.
void PtyPort::hung_up(Nanos now) {
  if (!has_master()) return reset(now);
  wire_.hang_up(now);
  forget_opens();
}

void PtyPort::reset(Nanos now) {
  wire_.hang_up(now);
  if (!reset_terminal()) {
    // TIOCEXCL outlives its owner on a pty, not on a serial port: only another pty is free of it.
    unplug(now);
    make_terminal();
    reset_terminal();
  }
  forget_opens();
  // Whoever opened it before this line shows here, whoever does after it shows as an event.
  open_ = has_master();
}

bool PtyPort::has_master() const {
  pollfd state{master_, POLLIN, 0};
  return poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0;
}

/// As a port is found at power-up, but for its speed: a next master may set that at this very moment. A pty drops
/// parity and glibc's tcsetattr then fails on settings that change nothing else, so a master that was killed with 8E1
/// would leave it unusable: NOFLSH, which does nothing to a raw line and which no master sets, is a change.
bool PtyPort::reset_terminal() {
  const int slave = open(slave_.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (slave < 0) return false;
  termios settings{};
  if (tcgetattr(slave, &settings) == 0) {
    cfmakeraw(&settings);
    settings.c_cflag &= ~static_cast<tcflag_t>(CSTOPB | PARENB | CRTSCTS);
    settings.c_cflag |= CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    settings.c_lflag |= NOFLSH;
    tcsetattr(slave, TCSANOW, &settings);
  }
  tcflush(slave, TCIOFLUSH);
  ioctl(slave, TIOCNXCL);
  close(slave);
  return true;
}

void PtyPort::forget_opens() {
  char events[4096];
  while (read(opens_, events, sizeof events) > 0) {
  }
}

void PtyPort::write_out(const std::uint8_t* data, std::size_t size) {
  if (master_ < 0) return;
  const ssize_t written = write(master_, data, size);  // what nobody reads is overrun, as in a UART
  if (written < static_cast<ssize_t>(size)) ++station_.line(link_).overruns;
}

}  // namespace metersim
