#include "drivers/modbus/libmodbus_link.h"

#include <modbus.h>
#include <sys/select.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "drivers/modbus/rtu_frames.h"
#include "drivers/port/port.h"

namespace metergate {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr int kUnitSize = 1;
constexpr int kMbapSize = 7;  // Modbus Messaging on TCP/IP V1.0b, 3.1.3: transaction, protocol, length, unit

using Context = std::unique_ptr<modbus_t, void (*)(modbus_t*)>;

/// The port whose transceiver libmodbus wants switched: its callback carries no pointer, and a bus belongs to one
/// thread.
thread_local Port* sending_port = nullptr;

void switch_direction(modbus_t*, int sending) {
  // A line that is gone shows in the write or read that follows.
  if (sending_port != nullptr) static_cast<void>(sending_port->direction(sending != 0));
}

/// Never opens, closes or flushes: the descriptor is the port's.
Context make_context(const BusSettings& settings) {
  modbus_t* context = nullptr;
  if (const auto* serial = std::get_if<SerialSettings>(&settings.port)) {
    context = modbus_new_rtu(serial->device.c_str(), serial->baud, serial->parity, 8, serial->stop_bits);
    if (context != nullptr && (serial->direction == Direction::kRtsUp || serial->direction == Direction::kRtsDown)) {
      modbus_rtu_set_custom_rts(context, switch_direction);
      modbus_rtu_set_rts_delay(context, 0);
      modbus_rtu_set_rts(context, MODBUS_RTU_RTS_UP);  // the polarity is the port's
    }
  } else if (std::get<TcpSettings>(settings.port).rtu) {
    context = modbus_new_rtu("socket", 9600, 'N', 8, 1);
  } else {
    context = modbus_new_tcp("127.0.0.1", MODBUS_TCP_DEFAULT_PORT);
  }
  if (context != nullptr) modbus_set_byte_timeout(context, 0, 0);  // one deadline for the whole answer
  return {context, modbus_free};
}

/// libmodbus sums RTU requests and reads TCP answers. Its modbus_read_* and modbus_write_* are not used: up to 3.1.7
/// they do not compare a write's echo, never the unit of a TCP answer, and give up at the first frame that does not fit
/// instead of waiting on. Nor is its reading of RTU: it takes a request of a second master for a broken answer.
class LibmodbusLink : public ModbusLink {
 public:
  LibmodbusLink(const BusSettings& settings, const Clock& clock)
      : clock_(clock),
        port_(make_port(settings, clock)),
        context_(make_context(settings)),
        rtu_(is_rtu(settings)),
        receiver_([this](std::uint8_t* to, std::size_t size, MonoTime until) { return port_->read(to, size, until); }) {
  }

  Status open() override;
  void close() override { port_->close(); }
  bool is_open() const override { return port_->is_open(); }
  std::string name() const override { return port_->name(); }
  Status settle(Nanos gap, Bytes* strays) override;
  Sent send(int unit, const Bytes& pdu) override { return rtu_ ? send_rtu(unit, pdu) : send_tcp(unit, pdu); }
  Result<Frame> receive(int unit, const Shape& shape, MonoTime deadline) override {
    return rtu_ ? receiver_.receive(unit, shape, deadline) : receive_tcp(deadline);
  }

 private:
  Sent send_rtu(int unit, const Bytes& pdu);
  Sent send_tcp(int unit, const Bytes& pdu);
  Result<Frame> receive_tcp(MonoTime deadline);
  Error failure(int reason);

  const Clock& clock_;
  std::unique_ptr<Port> port_;
  Context context_;
  bool rtu_;
  RtuReceiver receiver_;
  std::uint16_t transaction_ = 0;
};

Status LibmodbusLink::open() {
  if (!context_) return Error{Errc::kInvalid, port_->name() + ": parity is N, E or O, the baud rate above 0"};
  if (Status opened = port_->open(); !opened) return opened;
  if (port_->fd() >= FD_SETSIZE) {
    close();
    return Error{Errc::kBusDown, port_->name() + ": too many open files, libmodbus takes descriptors below " +
                                     std::to_string(FD_SETSIZE)};
  }
  modbus_set_socket(context_.get(), port_->fd());
  receiver_.take_rest();
  return {};
}

Status LibmodbusLink::settle(Nanos gap, Bytes* strays) {
  const Bytes rest = receiver_.take_rest();
  strays->insert(strays->end(), rest.begin(), rest.end());
  return port_->settle(gap, strays);
}

ModbusLink::Sent LibmodbusLink::send_rtu(int unit, const Bytes& pdu) {
  Bytes raw{static_cast<std::uint8_t>(unit)};
  raw.insert(raw.end(), pdu.begin(), pdu.end());
  receiver_.sent(rtu_frame(unit, pdu));
  modbus_set_slave(context_.get(), unit);
  sending_port = port_.get();
  const int rc = modbus_send_raw_request(context_.get(), raw.data(), static_cast<int>(raw.size()));
  sending_port = nullptr;
  if (rc > 0) return {{}, true};
  const int reason = errno;
  const bool some = reason == EMBBADDATA;  // a short write
  return {port_->lost(some ? ENOSPC : reason), some};
}

// A raw request of libmodbus has transaction number 0, always; with one of its own a late answer shows.
ModbusLink::Sent LibmodbusLink::send_tcp(int unit, const Bytes& pdu) {
  ++transaction_;
  const std::size_t length = kUnitSize + pdu.size();
  Bytes frame{static_cast<std::uint8_t>(transaction_ >> 8),
              static_cast<std::uint8_t>(transaction_ & 0xFF),
              0,
              0,
              static_cast<std::uint8_t>(length >> 8),
              static_cast<std::uint8_t>(length & 0xFF),
              static_cast<std::uint8_t>(unit)};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  return {port_->write(frame), true};
}

Error LibmodbusLink::failure(int reason) {
  switch (reason) {
    case ETIMEDOUT:
      return {Errc::kTimeout, "no answer"};
    case EMBBADDATA:
      return {Errc::kGarbled, "no Modbus frame"};
    case ECONNRESET:  // also libmodbus's word for the end of a file
      return port_->lost(0);
    default:
      return port_->lost(reason);
  }
}

Result<ModbusLink::Frame> LibmodbusLink::receive_tcp(MonoTime deadline) {
  const auto left = std::chrono::duration_cast<Micros>(deadline - clock_.mono());
  if (left.count() <= 0) return failure(ETIMEDOUT);
  if (!is_open()) return failure(EBADF);  // libmodbus would select() on it
  modbus_set_response_timeout(context_.get(), static_cast<std::uint32_t>(left.count() / kMicrosPerSecond),
                              static_cast<std::uint32_t>(left.count() % kMicrosPerSecond));
  std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> adu{};
  const int size = modbus_receive_confirmation(context_.get(), adu.data());
  const int reason = errno;
  port_->heard();
  const bool any = std::any_of(adu.begin(), adu.end(), [](std::uint8_t b) { return b != 0; });
  if (size < 0 && reason == ETIMEDOUT && any) return Error{Errc::kGarbled, "the answer broke off"};
  if (size < 0) return failure(reason);
  // libmodbus leaves the header to the caller.
  const bool ours = (adu[0] << 8 | adu[1]) == transaction_ && adu[2] == 0 && adu[3] == 0;
  if (size <= kMbapSize || !ours) return Frame{};
  return Frame{adu[kMbapSize - 1], Bytes(adu.begin() + kMbapSize, adu.begin() + size)};
}

}  // namespace

std::unique_ptr<ModbusLink> make_libmodbus_link(const BusSettings& settings, const Clock& clock) {
  return std::make_unique<LibmodbusLink>(settings, clock);
}

}  // namespace metergate
