#include "drivers/port/serial_port.h"

#include <fcntl.h>
#include <linux/serial.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

namespace metergate {

namespace {

constexpr Nanos kDrainStep = std::chrono::microseconds(100);
constexpr int kDrainSteps = 50;
constexpr unsigned kFirstPtySlaveMajor = 136, kLastPtySlaveMajor = 143;  // Linux, admin-guide/devices.txt

const std::map<int, speed_t>& speeds() {
  static const std::map<int, speed_t> all{{300, B300},       {600, B600},       {1200, B1200},     {1800, B1800},
                                          {2400, B2400},     {4800, B4800},     {9600, B9600},     {19200, B19200},
                                          {38400, B38400},   {57600, B57600},   {115200, B115200}, {230400, B230400},
                                          {460800, B460800}, {500000, B500000}, {576000, B576000}, {921600, B921600}};
  return all;
}

/// A pty has no wire: the kernel drops parity, and its exclusive mode would outlive a process that was killed.
bool is_pty(int fd) {
  struct stat st {};
  return fstat(fd, &st) == 0 && major(st.st_rdev) >= kFirstPtySlaveMajor && major(st.st_rdev) <= kLastPtySlaveMajor;
}

tcflag_t frame_flags(const LineMode& s) {
  tcflag_t flags = CS8;
  if (s.parity != 'N') flags |= PARENB;
  if (s.parity == 'O') flags |= PARODD;
  if (s.stop_bits == 2) flags |= CSTOPB;
  return flags;
}

/// Whether the device took what matters. tcsetattr(3) cannot say: it succeeds if it did any of it, and glibc's also
/// fails with EINVAL for a parity that a pty dropped.
bool set_termios(int fd, const LineMode& s, speed_t speed) {
  termios line{};
  line.c_cflag = frame_flags(s) | CREAD | CLOCAL;
  line.c_iflag = s.parity == 'N' ? 0 : INPCK;
  line.c_cc[VMIN] = 1;  // a read of 0 bytes then means hung up, never "nothing yet"
  cfsetispeed(&line, speed);
  cfsetospeed(&line, speed);
  if (tcsetattr(fd, TCSANOW, &line) != 0 && errno != EINVAL) return false;

  termios taken{};
  if (tcgetattr(fd, &taken) != 0) return false;
  tcflag_t matters = CSIZE | CSTOPB;
  if (!is_pty(fd)) matters |= PARENB | PARODD;
  return cfgetospeed(&taken) == speed && (taken.c_cflag & matters) == (line.c_cflag & matters) &&
         (taken.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

void ask_for_low_latency(int fd) {
  serial_struct driver{};
  if (ioctl(fd, TIOCGSERIAL, &driver) != 0) return;
  driver.flags |= ASYNC_LOW_LATENCY;
  ioctl(fd, TIOCSSERIAL, &driver);  // not all drivers can; then the line is slower, not wrong
}

}  // namespace

Error SerialPort::refused(const std::string& what) const { return {Errc::kInvalid, settings_.device + ": " + what}; }

Status SerialPort::open() {
  close();
  mode_ = settings_;
  Fd fd(::open(settings_.device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == EBUSY) return Error{Errc::kLocked, settings_.device + ": another program has opened it exclusively"};
    const char* const hint = errno == EACCES ? "; is the user in group dialout?" : "";
    return Error{Errc::kBusDown, settings_.device + ": cannot open: " + std::strerror(errno) + hint};
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{Errc::kLocked, settings_.device + ": another process holds it; one master a line"};
  }
  if (Status ready = prepare(fd.get()); !ready) return ready;
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  opened(std::move(fd));
  if (Status listening = direction(false); !listening) {
    close();
    return listening;
  }
  Bytes old;
  return discard(&old);
}

Status SerialPort::set_line(int fd) const {
  const auto speed = speeds().find(mode_.baud);
  if (speed == speeds().end()) {
    std::string known;
    for (const auto& entry : speeds()) known += " " + std::to_string(entry.first);
    return refused("baud " + std::to_string(mode_.baud) + " is none of" + known);
  }
  if (set_termios(fd, mode_, speed->second)) return {};
  return refused("cannot do " + std::to_string(mode_.baud) + " baud 8" + mode_.parity +
                 std::to_string(mode_.stop_bits));
}

Status SerialPort::set_mode(const LineMode& line) {
  if (!is_open()) return lost(EBADF);
  if (line == mode_) return {};
  wait_for_silence(std::max(frame_gap(), metergate::frame_gap(line)));
  mode_ = line;
  return set_line(fd());
}

Status SerialPort::prepare(int fd) const {
  if (!isatty(fd)) return refused("is no serial device");
  if (!is_pty(fd)) ioctl(fd, TIOCEXCL);
  if (Status set = set_line(fd); !set) return set;
  ask_for_low_latency(fd);
  return set_up_direction(fd);
}

Status SerialPort::set_up_direction(int fd) const {
  if (settings_.direction == Direction::kNone) return {};
  if (settings_.direction != Direction::kKernel) {
    int lines = 0;
    if (ioctl(fd, TIOCMGET, &lines) == 0) return {};
    return refused(std::string("has no RTS line (") + std::strerror(errno) +
                   "); rs485=none for an adapter that switches by itself");
  }
  serial_rs485 rs485{};
  if (ioctl(fd, TIOCGRS485, &rs485) == 0) {
    rs485.flags |= SER_RS485_ENABLED;
    // A driver or device tree that chose a polarity knows the board.
    if ((rs485.flags & (SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND)) == 0) rs485.flags |= SER_RS485_RTS_ON_SEND;
    rs485.delay_rts_before_send = static_cast<decltype(rs485.delay_rts_before_send)>(settings_.rts_before.count());
    rs485.delay_rts_after_send = static_cast<decltype(rs485.delay_rts_after_send)>(settings_.rts_after.count());
    if (ioctl(fd, TIOCSRS485, &rs485) == 0) return {};
  }
  return refused(std::string("its driver has no RS-485 mode (") + std::strerror(errno) +
                 "); rs485=none for an adapter that switches by itself, else rts-up or rts-down");
}

void SerialPort::close() {
  if (is_open()) ioctl(fd(), TIOCNXCL);
  Port::close();
}

Status SerialPort::direction(bool sending) {
  if (settings_.direction != Direction::kRtsUp && settings_.direction != Direction::kRtsDown) return {};
  if (!sending) {
    unsigned int state = 0;
    for (int i = 0; i < kDrainSteps && ioctl(fd(), TIOCSERGETLSR, &state) == 0 && (state & TIOCSER_TEMT) == 0; ++i) {
      clock_.sleep_until(clock_.mono() + kDrainStep);
    }
    clock_.sleep_until(clock_.mono() + settings_.rts_after);
  }
  const bool up = sending == (settings_.direction == Direction::kRtsUp);
  int rts = TIOCM_RTS;
  if (ioctl(fd(), up ? TIOCMBIS : TIOCMBIC, &rts) != 0) {
    return Error{Errc::kBusDown, settings_.device + ": cannot switch RTS: " + std::strerror(errno)};
  }
  if (sending) clock_.sleep_until(clock_.mono() + settings_.rts_before);
  return {};
}

}  // namespace metergate
