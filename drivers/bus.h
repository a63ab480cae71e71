#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// Who switches an RS-485 transceiver between sending and listening.
enum class Direction { kNone, kKernel, kRtsUp, kRtsDown };

/// How a character goes over a serial line; 8 data bits.
struct LineMode {
  int baud = 0;
  char parity = 'E';  ///< 'N', 'E' or 'O'
  int stop_bits = 1;
  bool operator==(const LineMode& o) const { return baud == o.baud && parity == o.parity && stop_bits == o.stop_bits; }
};

struct SerialSettings : LineMode {
  std::string device;  ///< best a name from /dev/serial/by-path: it survives a replug
  Direction direction = Direction::kNone;
  Millis rts_before{0};  ///< from switching to sending until the first bit
  Millis rts_after{0};   ///< from the last bit until switching back
};

/// Which numbers of a Modbus TCP answer need not be those of the request. Where the transaction may differ, a late
/// answer looks like the next one's, and is told from it as on RTU, by guard reads.
enum class Lenient { kNone, kTransaction, kUnit, kBoth };

struct TcpSettings {
  std::string host;  ///< name, IPv4, or IPv6 without brackets
  int port = 502;
  bool rtu = false;  ///< RTU frames with CRC instead of Modbus TCP's header
  Millis connect_timeout{5000};
  std::optional<Millis> idle_close;  ///< close the connection after so long without a request
  /// From a connect to the first request. (Modbus TCP: a longer one that turns out to be needed is learned.)
  Millis connect_delay{0};
  Lenient lenient = Lenient::kNone;  ///< Modbus TCP
};

struct BusSettings {
  std::variant<SerialSettings, TcpSettings> port;
  Millis timeout{1000};  ///< until the first byte of an answer; wire time is added
  Millis gap{0};         ///< silence beyond t3.5
};

inline bool is_serial(const BusSettings& s) { return std::holds_alternative<SerialSettings>(s.port); }
/// Frames with unit and check sum, on a line or a socket.
inline bool is_rtu(const BusSettings& s) { return is_serial(s) || std::get<TcpSettings>(s.port).rtu; }

/// Of one character on the wire.
inline Nanos char_time(const LineMode& s) {
  const int bits = 1 + 8 + (s.parity == 'N' ? 0 : 1) + s.stop_bits;
  return s.baud > 0 ? Nanos{std::chrono::seconds(bits)} / s.baud : Nanos{0};
}

/// The silence that ends a frame, t3.5: 3.5 characters, above 19200 baud 1.75 ms (Modbus over serial line V1.02,
/// 2.5.1.1).
inline Nanos frame_gap(const LineMode& s) {
  return s.baud > 19200 ? Nanos{std::chrono::microseconds(1750)} : char_time(s) * 7 / 2;
}

/// Which protocol a meter speaks; meters of several may share a serial line.
enum class Family { kModbus, kDlt645, kDlt645Of1997 };

/// Where a value lies: the tables of Modbus, or the bytes of a data item (DL/T 645).
enum class Table { kCoil, kDiscrete, kInput, kHolding, kItem };

inline bool is_bits(Table table) { return table == Table::kCoil || table == Table::kDiscrete; }

// What an address and the answer to one request can carry (Modbus Application Protocol V1.1b3, 4.4 and 6.1 to 6.4).
constexpr int kAddresses = 65536;
constexpr int kMostBits = 2000, kMostRegisters = 125;
constexpr int kRegisterBytes = 2;
/// `register_bytes`: 4 where the meter answers with so many for each register that is asked for.
inline int most_per_request(Table table, int register_bytes = kRegisterBytes) {
  return is_bits(table) ? kMostBits : kMostRegisters * kRegisterBytes / register_bytes;
}

/// Registers, bits, or bytes of a data item, that one request reads.
struct Block {
  Table table = Table::kHolding;
  std::uint16_t address = 0;            ///< zero-based, as on the wire; of an item: its first byte
  std::uint16_t count = 0;              ///< of an item that is read: the bytes that are expected; 0: as many as come
  int register_bytes = kRegisterBytes;  ///< 2, or 4: then each register gives two words, high first; of an item: those
                                        ///< of its identifier
  std::uint32_t item = 0;               ///< its identifier, with Table::kItem
  bool operator==(const Block& o) const { return is_beside(o) && address == o.address && count == o.count; }
  /// Whether an address means the same in both.
  bool is_beside(const Block& o) const {
    return table == o.table && register_bytes == o.register_bytes && item == o.item;
  }
};

/// `count` bytes of the item of another block from byte `first` on.
inline Block item_block(const Block& of, int first, int count) {
  return {Table::kItem, static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(count), of.register_bytes,
          of.item};
}

/// Bytes of an item's identifier: 4, or 2 of DL/T 645-1997.
inline int item_width(Family family) { return family == Family::kDlt645 ? 4 : 2; }

/// All of an item.
inline Block whole_item(std::uint32_t item, Family family) { return {Table::kItem, 0, 0, item_width(family), item}; }

/// An item as its standard prints it: 8 hex digits, or 4.
inline std::string item_name(const Block& block) {
  std::string text;
  for (int digit = 2 * block.register_bytes; digit > 0; --digit) {
    text += "0123456789ABCDEF"[block.item >> (4 * (digit - 1)) & 15U];
  }
  return text;
}

/// For bits: 0 or 1 each; for an item a byte each, as they come on the wire. (An item may give more or fewer bytes
/// than were expected.)
using Words = std::vector<std::uint16_t>;

/// How many a read of the block gives.
inline std::size_t words_in(const Block& block) {
  return is_bits(block.table) || block.table == Table::kItem
             ? block.count
             : std::size_t{block.count} * static_cast<std::size_t>(block.register_bytes / kRegisterBytes);
}

struct Write {
  /// Modbus function 5, 15, 6, 16; of DL/T 645 the relay (1C) and the clock (08).
  enum class Form { kCoil, kCoils, kRegister, kRegisters, kRelay, kClock };
  Form form = Form::kRegister;
  std::uint16_t address = 0;
  Words values;                   ///< of kRelay: one RelayOrder
  std::optional<UtcTime> time{};  ///< of kRelay: until when the order may be obeyed; of kClock: to be set, none: now
};

/// What a meter's relay is to do; kPermit: let somebody at the meter close it (N1 of control code 1C).
enum RelayOrder : std::uint16_t { kTrip = 0x1A, kPermit = 0x1B, kClose = 0x1C };

/// What proves to a DL/T 645 meter that it may be written. Never shown, never logged.
struct Password {
  int level = 2;              ///< a lower one is mightier
  std::string digits;         ///< 6
  std::string operator_code;  ///< 8 digits, which the meter logs
};

constexpr int kUsualPreamble = 4;

/// Digits of the address of a meter that has no unit.
constexpr std::size_t kAddressDigits = 12;

/// How one meter is asked. The address is text: only the protocol driver knows its form (Modbus: "1" to "247", TCP "0"
/// to "255"; DL/T 645: 12 digits).
struct Target {
  std::string address;
  Family family = Family::kModbus;
  std::optional<Millis> timeout;       ///< instead of the bus's
  Millis gap{0};                       ///< at least so long after the last byte on the bus, beyond t3.5
  int max_registers = kMostRegisters;  ///< never asked for more, not even by a guard read
  /// If this read is not answered, the caller asks once more with the full timeout. So this one may be given up
  /// earlier, after what was learned of this meter (Turnaround::deadline).
  bool asked_again = false;
  int preamble = kUsualPreamble;     ///< FEs before a request of DL/T 645
  std::optional<Password> password;  ///< of DL/T 645
  std::optional<Millis> utc_offset;  ///< of the clock of a DL/T 645 meter; none: this machine's
  std::optional<LineMode> line;      ///< on a serial line: where it differs from the bus's
};

/// The mode in which a target is asked; null: over a socket. Points into either.
inline const LineMode* line_of(const BusSettings& settings, const Target& target) {
  const auto* const serial = std::get_if<SerialSettings>(&settings.port);
  return serial != nullptr && target.line ? &*target.line : serial;
}

/// `sent` tells a write that certainly never left from one whose fate the meter alone knows.
struct WriteOutcome {
  Status status;      ///< ok: the echo is the request's
  bool sent = false;  ///< at least one byte may have reached the wire
};

/// From the end of a read request to the first byte of its answer. The wire time is subtracted; on a socket there is
/// none.
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
  std::int64_t late_frames = 0;     ///< answers to earlier requests of ours, among them
  std::int64_t foreign_frames = 0;  ///< requests of a second master and what it is answered, among them
  std::int64_t opened = 0;          ///< times the port was opened
  std::int64_t busy_us = 0;         ///< time spent inside transactions, silence included

  BusCounters& operator+=(const BusCounters& o) {
    for (const auto field : {&BusCounters::requests, &BusCounters::answers, &BusCounters::timeouts, &BusCounters::crc,
                             &BusCounters::garbled, &BusCounters::exceptions, &BusCounters::bus_down,
                             &BusCounters::guards, &BusCounters::late_bytes, &BusCounters::late_frames,
                             &BusCounters::foreign_frames, &BusCounters::opened, &BusCounters::busy_us}) {
      this->*field += o.*field;
    }
    return *this;
  }
};

/// What a frame on the wire was, once the bus knew it. kLate: the answer to an earlier request of ours, or what may be
/// one; kForeign: a second master's request or what it is answered; kNoise: no frame.
enum class FrameVerdict { kRequest, kGuard, kAnswer, kEcho, kLate, kForeign, kNoise };

/// Who sees each frame of a bus. Called on the bus's thread, at the end of a frame; must not block.
class BusObserver {
 public:
  virtual ~BusObserver() = default;
  virtual void on_frame(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) = 0;
};

/// What the bytes of a frame say, as far as they are there.
struct FrameText {
  std::string protocol;           ///< `modbus-rtu`, `modbus-tcp`, `dlt645`
  std::string address;            ///< of a meter that has no unit
  std::optional<int> unit;        ///< of Modbus
  std::optional<int> function;    ///< 3; of an exception 131
  std::optional<bool> sum_right;  ///< nothing: such a frame has no check sum
};

/// One line or endpoint with one master: one transaction at a time, every call bounded. Owned by its thread, but for
/// counters().
///
/// Modbus RTU carries no transaction number, so an answer that comes late fits the next request of the same shape. The
/// implementation therefore remembers which requests a meter left unanswered, and sends nothing of that shape again
/// before an answer of another shape (to a guard read, whose values are thrown away) has shown that the meter is past
/// them. On RTU it also remembers the requests of a second master that it hears; an answer behind one of them is thrown
/// away. (Where a transceiver echoes what we send, the echo is passed over; it is nobody's request.)
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
  /// silence; where the other side ends a connection instead of answering, once more after a new connect. Errors:
  /// kTimeout, kCrc, kException; kGarbled, also where it ends the new connection, too; kBusDown: the port was closed,
  /// open() before the next.
  virtual Result<Words> read(const Target& target, const Block& block) = 0;

  /// At most one write request ever leaves; echo compared; never sent to the broadcast address.
  virtual WriteOutcome write(const Target& target, const Write& write) = 0;

  /// Between requests: closes a connection that was not used for idle_close. Returns when to call it again; max: never.
  virtual MonoTime idle() { return MonoTime::max(); }

  /// What was learned of a meter, once it has answered.
  virtual std::optional<Turnaround> turnaround(const Target&) const { return std::nullopt; }

  /// Shows each frame to `observer`, which outlives the bus; before the first open().
  virtual void observe(BusObserver*) {}
  /// Pure; from any thread.
  virtual FrameText explain(const std::uint8_t*, std::size_t) const { return {}; }

  /// From any thread.
  virtual BusCounters counters() const = 0;
};

}  // namespace metergate
