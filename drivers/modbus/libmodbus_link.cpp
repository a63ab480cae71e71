#include "drivers/modbus/libmodbus_link.h"

#include <modbus.h>

#include <cerrno>

#include "drivers/modbus/rtu_frames.h"
#include "drivers/modbus/tcp_frames.h"
#include "drivers/port/port.h"

namespace metergate {

namespace {

using Context = std::unique_ptr<modbus_t, void (*)(modbus_t*)>;

/// The port whose transceiver libmodbus wants switched: its callback carries no pointer, and a bus belongs to one
/// thread.
thread_local Port* sending_port = nullptr;

void switch_direction(modbus_t*, int sending) {
  // A line that is gone shows in the write or read that follows.
  if (sending_port != nullptr) static_cast<void>(sending_port->direction(sending != 0));
}

/// Never opens, closes or flushes: the descriptor is the port's. `line`: how characters go over a serial line.
Context make_context(const BusSettings& settings, const LineMode& line) {
  modbus_t* context = nullptr;
  if (const auto* serial = std::get_if<SerialSettings>(&settings.port)) {
    context = modbus_new_rtu(serial->device.c_str(), line.baud, line.parity, 8, line.stop_bits);
    if (context != nullptr && (serial->direction == Direction::kRtsUp || serial->direction == Direction::kRtsDown)) {
      modbus_rtu_set_custom_rts(context, switch_direction);
      modbus_rtu_set_rts_delay(context, 0);
      modbus_rtu_set_rts(context, MODBUS_RTU_RTS_UP);  // the polarity is the port's
    }
  } else {
    context = modbus_new_rtu("socket", 9600, 'N', 8, 1);
  }
  return {context, modbus_free};
}

LineMode mode_of(const BusSettings& settings) {
  const auto* serial = std::get_if<SerialSettings>(&settings.port);
  return serial == nullptr ? LineMode{} : LineMode(*serial);
}

/// libmodbus sends RTU requests. Its modbus_read_* and modbus_write_* are not used: up to 3.1.7 they do not compare a
/// write's echo, never the unit of a TCP answer, and give up at the first frame that does not fit instead of waiting
/// on. Nor is its receiving: it takes a request of a second master for a broken answer, waits with three select(2) for
/// what one poll tells, and cannot give the transaction of a request a number.
class LibmodbusLink : public ModbusLink {
 public:
  LibmodbusLink(const BusSettings& settings, Port& port)
      : port_(port),
        settings_(settings),
        mode_(mode_of(settings)),
        context_(make_context(settings, mode_)),
        rtu_(is_rtu(settings)) {}

  Status open() override;
  void close() override { port_.close(); }
  bool is_open() const override { return port_.is_open(); }
  std::string name() const override { return port_.name(); }
  Status set_mode(const LineMode& line) override;
  Status settle(Nanos gap, Bytes* strays) override;
  Sent send(int unit, const Bytes& pdu) override { return rtu_ ? send_rtu(unit, pdu) : send_tcp(unit, pdu); }
  const Bytes& sent_bytes() const override { return sent_; }
  const Bytes& heard_bytes() const override { return rtu_ ? rtu_receiver_.rest() : tcp_receiver_.rest(); }
  Result<Frame> receive(int unit, const Shape& shape, MonoTime deadline) override {
    return rtu_ ? rtu_receiver_.receive(unit, shape, deadline) : tcp_receiver_.receive(transaction_, deadline);
  }

 private:
  Status use(const LineMode& line);
  Sent send_rtu(int unit, const Bytes& pdu);
  Sent send_tcp(int unit, const Bytes& pdu);
  Bytes take_rest() { return rtu_ ? rtu_receiver_.take_rest() : tcp_receiver_.take_rest(); }
  RtuReceiver::Read reads() {
    return [this](std::uint8_t* to, std::size_t size, MonoTime until) { return port_.read(to, size, until); };
  }

  Port& port_;
  const BusSettings settings_;
  LineMode mode_;
  Context context_;
  const bool rtu_;
  RtuReceiver rtu_receiver_{reads()};
  TcpReceiver tcp_receiver_{reads()};
  std::uint16_t transaction_ = 0;
  Bytes sent_;  // the last request
};

Status LibmodbusLink::open() {
  if (!context_) return Error{Errc::kInvalid, port_.name() + ": parity is N, E or O, the baud rate above 0"};
  if (Status opened = port_.open(); !opened) return opened;
  if (Status used = use(mode_of(settings_)); !used) return used;
  take_rest();
  return {};
}

Status LibmodbusLink::set_mode(const LineMode& line) {
  if (Status set = port_.set_mode(line); !set) return set;
  return use(line);
}

Status LibmodbusLink::use(const LineMode& line) {
  if (!(line == mode_)) context_ = make_context(settings_, line);
  mode_ = line;
  if (!context_) return Error{Errc::kInvalid, port_.name() + ": parity is N, E or O, the baud rate above 0"};
  return {};
}

Status LibmodbusLink::settle(Nanos gap, Bytes* strays) {
  const Bytes rest = take_rest();
  strays->insert(strays->end(), rest.begin(), rest.end());
  return port_.settle(gap, strays);
}

ModbusLink::Sent LibmodbusLink::send_rtu(int unit, const Bytes& pdu) {
  Bytes raw{static_cast<std::uint8_t>(unit)};
  raw.insert(raw.end(), pdu.begin(), pdu.end());
  sent_ = rtu_frame(unit, pdu);
  rtu_receiver_.sent(sent_);
  modbus_set_slave(context_.get(), unit);
  modbus_set_socket(context_.get(), port_.fd());  // others on the port may have opened it anew
  sending_port = &port_;
  const int rc = modbus_send_raw_request(context_.get(), raw.data(), static_cast<int>(raw.size()));
  sending_port = nullptr;
  if (rc > 0) return {{}, true};
  const int reason = errno;
  const bool some = reason == EMBBADDATA;  // a short write
  return {port_.lost(some ? ENOSPC : reason), some};
}

ModbusLink::Sent LibmodbusLink::send_tcp(int unit, const Bytes& pdu) {
  ++transaction_;
  sent_ = tcp_frame(transaction_, unit, pdu);
  return {port_.write(sent_), true};
}

}  // namespace

std::unique_ptr<ModbusLink> make_libmodbus_link(const BusSettings& settings, Port& port) {
  return std::make_unique<LibmodbusLink>(settings, port);
}

}  // namespace metergate
