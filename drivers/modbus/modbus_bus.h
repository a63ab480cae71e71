#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "drivers/bus.h"
#include "drivers/modbus/connect_delay.h"
#include "drivers/modbus/modbus_link.h"
#include "drivers/modbus/pdu.h"
#include "drivers/modbus/unanswered_requests.h"
#include "drivers/port/bus_tally.h"
#include "drivers/port/response_times.h"

namespace metergate {

/// The Bus over any link: what is asked when, which request an answer belongs to, what is counted.
///
/// On RTU a frame that does not fit is passed over, and the answer is waited for until the deadline. On Modbus TCP any
/// failure but an exception closes the connection, so that no late answer can come; the next request connects again.
/// (A server whose transaction numbers are not to be trusted may answer the next connection late: there, guards.)
///
/// A connection that the other side ends instead of answering is no failure of the bus while a new one can be made: a
/// read is sent once more over the new one.
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
  void observe(BusObserver* observer) override { observer_ = observer; }
  FrameText explain(const std::uint8_t* bytes, std::size_t size) const override;
  BusCounters counters() const override { return tally_.counters(); }

  /// Bytes that others on the line heard and do not know.
  void hear(const Bytes& strays) { hear_strays(strays, 0); }
  /// Takes the frames of others out of bytes that were heard unasked.
  std::function<void(Bytes*)> take_others = [](Bytes*) {};
  /// Others used the port: it is not idle.
  void port_used() { last_use_ = clock_.mono(); }

 private:
  /// One unit, as this transaction asks it.
  struct Peer {
    int unit;
    Nanos timeout;
    Nanos gap;
    const LineMode* line;  ///< null: a socket
  };
  struct Exchange {
    Result<Bytes> answer;  ///< a PDU that fits
    bool sent = false;     ///< a byte may have left
    bool hung_up = false;  ///< the other side ended the connection instead of answering
  };

  Result<Peer> peer(const Target& target, int lowest_unit) const;
  Status connect();
  Status ready(const Peer& peer);
  Status settle(Nanos gap);
  void hear_strays(const Bytes& strays, std::size_t shown);
  UnansweredRequests& unanswered(int unit);
  bool may_answer_late() const;
  std::optional<Shape> hear(const ModbusLink::Frame& frame);
  void show(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) const;
  void show(FrameVerdict verdict, const ModbusLink::Frame& frame) const;
  void show_rest();
  bool is_echo(const ModbusLink::Frame& frame, const Peer& peer, const Request& request);
  bool is_hidden(const Peer& peer, const Request& request);
  /// Asks a guard first where one is due. Sends nothing where the answer could still be another request's after that.
  /// `anew`: over a connection that nothing was asked over.
  Exchange ask_past_others(const Peer& peer, const Request& request, const Block& near, int max_registers,
                           bool anew = false);
  Exchange pass_late_answers(const Peer& peer, const Block& near, int max_registers);
  Exchange ask(const Peer& peer, const Request& request, bool is_guard);
  Exchange send(const Peer& peer, const Request& request, bool is_guard);
  void learn(const Peer& peer, const Request& request, std::size_t answer);
  bool is_addressed(const ModbusLink::Frame& frame, const Peer& peer) const;
  std::string other_numbers(const ModbusLink::Frame& frame, const Peer& peer) const;
  Result<Bytes> await(const Peer& peer, const Request& request, bool is_guard);
  void count(const Exchange& exchange);
  Error behind_guard(const Peer& peer, const Request& request, Error error) const;
  std::string where(const Peer& peer, const Request& request) const;

  const BusSettings settings_;
  const Lenient lenient_;
  const std::unique_ptr<ModbusLink> link_;
  const Clock& clock_;
  ConnectDelay connect_delay_;
  bool open_ = false;
  std::optional<MonoTime> connected_;  // when, until the first request over the connection
  bool echoes_ = false;                // what is sent is heard too
  MonoTime last_use_{};
  MonoTime asked_{};                              // when the last request was sent
  std::map<int, UnansweredRequests> unanswered_;  // by unit; all in one where the unit of an answer does not count
  std::map<int, ResponseTimes> times_;            // by unit
  BusTally tally_;
  BusObserver* observer_ = nullptr;
  std::size_t shown_ = 0;  // bytes of what is heard and no frame yet
};

}  // namespace metergate
