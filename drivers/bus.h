#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// Who switches an RS-485 transceiver between sending and listening.
enum class Direction { kNone, kKernel, kRtsUp, kRtsDown };

struct SerialSettings {
  std::string device;  ///< best a name from /dev/serial/by-path: it survives a replug
  int baud = 0;
  char parity = 'E';  ///< 'N', 'E' or 'O'
  int stop_bits = 1;
  Direction direction = Direction::kNone;
  Millis rts_before{0};  ///< from switching to sending until the first bit
  Millis rts_after{0};   ///< from the last bit until switching back
};

struct TcpSettings {
  std::string host;  ///< name, IPv4, or IPv6 without brackets
  int port = 502;
  bool rtu = false;  ///< RTU frames with CRC instead of Modbus TCP's header
  Millis connect_timeout{5000};
  std::optional<Millis> idle_close;  ///< close the connection after so long without a request
};

struct BusSettings {
  std::variant<SerialSettings, TcpSettings> port;
  Millis timeout{1000};  ///< until the first byte of an answer; wire time is added
  Millis gap{0};         ///< silence beyond t3.5
};

enum class Table { kCoil, kDiscrete, kInput, kHolding };

/// Registers (or bits) that one request reads.
struct Block {
  Table table = Table::kHolding;
  std::uint16_t address = 0;  ///< zero-based, as on the wire
  std::uint16_t count = 0;
  bool operator==(const Block& o) const { return table == o.table && address == o.address && count == o.count; }
};

using Words = std::vector<std::uint16_t>;  ///< for bits: 0 or 1 each

struct Write {
  enum class Form { kCoil, kCoils, kRegister, kRegisters };  // function 5, 15, 6, 16
  Form form = Form::kRegister;
  std::uint16_t address = 0;
  Words values;
};

/// How one meter is asked. The address is text: only the protocol driver knows its form (Modbus: "1" to "247", TCP "0"
/// to "255").
struct Target {
  std::string address;
  std::optional<Millis> timeout;  ///< instead of the bus's
  Millis gap{0};                  ///< at least so long after the last byte on the bus, beyond t3.5
  int max_registers = 125;        ///< never asked for more, not even by a guard read
  /// The read is made once more with the full timeout if this one is not answered: it may be given up after what was
  /// learned of this meter (Turnaround::deadline).
  bool asked_again = false;
};

/// `sent` tells a write that certainly never left from one whose fate the meter alone knows.
struct WriteOutcome {
  Status status;      ///< ok: the echo is the request's
  bool sent = false;  ///< at least one byte may have reached the wire
};

/// From the end of a meter's request to the begin of its answer, of reads: what the wire takes is taken off, on a
/// socket nothing.
struct Turnaround {
  Micros usual{0};
  Micros slowest{0};   ///< of the last 24 h
  Millis deadline{0};  ///< what is waited for an answer to a request that is asked again
};

/// `requests` were sent, guards and writes included; each also counts once in one of the six that follow it.
struct BusCounters {
  std::int64_t requests = 0, answers = 0, timeouts = 0, crc = 0, garbled = 0, exceptions = 0, bus_down = 0;
  std::int64_t guards = 0;          ///< guard reads sent after an unanswered request
  std::int64_t late_bytes = 0;      ///< bytes thrown away because they answered nothing that was asked
  std::int64_t late_frames = 0;     ///< answers to earlier questions of ours, among them
  std::int64_t foreign_frames = 0;  ///< requests of a second master and what it is answered, among them
  std::int64_t opened = 0;          ///< times the port was opened
  std::int64_t busy_us = 0;         ///< time spent inside transactions, silence included
};

/// One line or endpoint with one master: one transaction at a time, every call bounded. Owned by its thread, but for
/// counters().
///
/// Modbus RTU carries no transaction number, so an answer that comes late fits the next question of the same shape. The
/// implementation therefore remembers which requests a meter left unanswered, and asks nothing of that shape again
/// before an answer of another shape (a guard read, whose values are thrown away) has shown that the meter is past
/// them. On RTU the questions of a second master that are heard are remembered too; an answer that one of them came
/// before is thrown away. (What a transceiver lets hear of our own sending is passed over, and is nobody's question.)
class Bus {
 public:
  virtual ~Bus() = default;

  /// Opens the port (exclusively) or connects; at most connect_timeout plus a name lookup that is given up after it.
  /// Errors: kBusDown, kLocked (another process has the port), kInvalid (the device cannot do these settings).
  virtual Status open() = 0;
  virtual void close() = 0;
  /// From an open() that succeeded until close() or a kBusDown. A socket may be closed in between (after an unanswered
  /// Modbus TCP request, after idle_close, by the server): the next request connects again by itself, within
  /// connect_timeout.
  virtual bool is_open() const = 0;

  /// One transaction, after a guard read where one is due. Blocks at most for twice (timeout + wire time) and the
  /// silence. Errors: kTimeout, kCrc, kGarbled, kException; kBusDown: the port was closed, open() before the next.
  virtual Result<Words> read(const Target& target, const Block& block) = 0;

  /// At most one write request ever leaves; echo compared; never sent to the broadcast address.
  virtual WriteOutcome write(const Target& target, const Write& write) = 0;

  /// Between requests: closes a connection that was not used for idle_close. When to be called again; max: no need.
  virtual MonoTime idle() { return MonoTime::max(); }

  /// What was learned of a meter, once it has answered.
  virtual std::optional<Turnaround> turnaround(const Target&) const { return std::nullopt; }

  /// From any thread.
  virtual BusCounters counters() const = 0;
};

/// Modbus RTU on a serial line, Modbus TCP, or RTU over TCP. The clock outlives the bus. Does not open. The process
/// must ignore SIGPIPE. open() on a serial line sets the calling thread's timer slack to 1 ns.
std::unique_ptr<Bus> make_modbus_bus(const BusSettings& settings, const Clock& clock);

/// How long a request and its answer take on the wire, without the meter's own delay; zero for sockets. t3.5 included
/// once.
Micros wire_time(const BusSettings& settings, const Block& block);

}  // namespace metergate
