#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "drivers/bus.h"
#include "drivers/modbus/modbus_link.h"
#include "drivers/modbus/pdu.h"
#include "drivers/modbus/response_times.h"
#include "drivers/modbus/unanswered_requests.h"

namespace metergate {

/// The Bus over any link: what is asked when, which request an answer belongs to, what is counted.
///
/// On RTU a frame that does not fit is passed over, and the answer is waited for until the deadline. On Modbus TCP any
/// failure but an exception closes the connection, so that no late answer can come; the next request connects again.
class ModbusBus : public Bus {
 public:
  ModbusBus(BusSettings settings, std::unique_ptr<ModbusLink> link, const Clock& clock);

  Status open() override;
  void close() override;
  bool is_open() const override { return open_; }
  Result<Words> read(const Target& target, const Block& block) override;
  WriteOutcome write(const Target& target, const Write& write) override;
  MonoTime idle() override;
  std::optional<Turnaround> turnaround(const Target& target) const override;
  BusCounters counters() const override;

 private:
  /// One unit, as this transaction asks it.
  struct Peer {
    int unit;
    Nanos timeout;
    Nanos gap;
  };
  struct Exchange {
    Result<Bytes> answer;  ///< a PDU that fits
    bool sent = false;     ///< a byte may have left
  };
  struct Counters {
    std::atomic<std::int64_t> requests{0}, answers{0}, timeouts{0}, crc{0}, garbled{0}, exceptions{0}, bus_down{0},
        guards{0}, late_bytes{0}, late_frames{0}, foreign_frames{0}, opened{0}, busy_us{0};
  };
  class Busy;

  Result<Peer> peer(const Target& target, int lowest_unit) const;
  Status connect();
  Status ready(Nanos gap);
  Status settle(Nanos gap);
  std::optional<Shape> hear(const ModbusLink::Frame& frame);
  bool is_echo(const ModbusLink::Frame& frame, const Peer& peer, const Request& request);
  bool is_hidden(const Peer& peer, const Request& request);
  /// Asks a guard first where one is due. Sends nothing where the answer could still be another request's after that.
  Exchange ask_past_others(const Peer& peer, const Request& request, const Block& near, int max_registers);
  Status pass_late_answers(const Peer& peer, const Block& near, int max_registers);
  Exchange ask(const Peer& peer, const Request& request, bool is_guard);
  void learn(const Peer& peer, const Request& request, std::size_t answer);
  Result<Bytes> await(const Peer& peer, const Request& request, bool is_guard);
  void count(const Exchange& exchange);
  Error behind_guard(const Peer& peer, const Request& request, Error error) const;
  std::string where(const Peer& peer, const Request& request) const;

  const BusSettings settings_;
  const std::unique_ptr<ModbusLink> link_;
  const Clock& clock_;
  bool open_ = false;
  bool echoes_ = false;  // what is sent is heard too
  MonoTime last_use_{};
  MonoTime asked_{};                              // when the last request was sent
  std::map<int, UnansweredRequests> unanswered_;  // by unit
  std::map<int, ResponseTimes> times_;            // by unit
  Counters counters_;
};

}  // namespace metergate
