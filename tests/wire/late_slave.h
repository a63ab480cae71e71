#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "drivers/bus.h"
#include "tests/sim/frame.h"
#include "tests/wire/pty.h"

namespace metergate {

enum class Wire { kPty, kRtuOverTcp, kTcp };

/// A meter on a real descriptor, in a thread of its own, that answers every request in order, however late. Each
/// register's value is its address.
class LateSlave {
 public:
  /// How long after the nth request (from 0) its answer is sent.
  using Delay = std::function<Millis(int n)>;

  /// What is sent instead of the right answer to the nth request.
  using Damage = std::function<metersim::Bytes(int n, metersim::Bytes right)>;

  /// How a server ends its connection so long after each answer.
  enum class End { kNever, kClose, kReset };

  LateSlave(Wire wire, Delay delay, Damage damage = nullptr, End end = End::kNever, Millis after = Millis{4});
  ~LateSlave();
  /// Where a master finds it.
  std::variant<SerialSettings, TcpSettings> port() const { return port_; }

 private:
  struct Due {
    MonoTime at;
    metersim::Bytes frame;
  };
  void run();
  bool serve(int fd);
  bool hang_up(int fd) const;
  void take_requests();
  void answer(const metersim::Bytes& pdu, std::uint16_t transaction, std::uint8_t unit);

  const Wire wire_;
  const Delay delay_;
  const Damage damage_;
  const End end_;
  const Millis end_after_;
  const SystemClock clock_;
  std::variant<SerialSettings, TcpSettings> port_;
  std::optional<Pty> pty_;
  Fd listener_;
  metersim::Bytes input_;
  std::deque<Due> due_;
  int asked_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace metergate
