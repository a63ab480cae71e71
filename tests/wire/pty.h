#pragma once

#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

#include "agent/base/fd.h"
#include "drivers/bus.h"

namespace metergate {

/// A line without a wire: the driver opens `device`, the test holds the other end.
struct Pty {
  Pty() {
    int to_device = -1, device_end = -1;
    std::array<char, 128> name{};
    if (openpty(&to_device, &device_end, name.data(), nullptr, nullptr) != 0) throw std::runtime_error("no pty");
    other_end = Fd(to_device);
    held = Fd(device_end);
    device = name.data();
  }

  SerialSettings settings() const {
    SerialSettings out;
    out.device = device;
    out.baud = 9600;
    out.parity = 'N';
    return out;
  }

  Fd other_end;
  Fd held;  ///< a pty that nobody has open reads as hung up
  std::string device;
};

}  // namespace metergate
