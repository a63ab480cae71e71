#include "drivers/modbus/modbus_bus.h"

#include <algorithm>
#include <utility>

#include "agent/base/text.h"
#include "drivers/modbus/rtu_frames.h"
#include "drivers/modbus/wire_time.h"

namespace metergate {

namespace {

constexpr Nanos kSlack = std::chrono::milliseconds(20);  // drivers, USB adapters, scheduling
constexpr int kBroadcast = 0, kLowestOwnUnit = 1, kHighestUnit = 247, kHighestTcpUnit = 255;

constexpr std::size_t kTcpUnitAt = 6;  // in a frame

constexpr const char* kNotAsked = "not asked, the answer to another request may still come";

const TcpSettings* socket_of(const BusSettings& settings) { return std::get_if<TcpSettings>(&settings.port); }

Lenient leniency(const BusSettings& settings) {
  return is_rtu(settings) ? Lenient::kNone : socket_of(settings)->lenient;
}

Nanos delay_given(const BusSettings& settings) {
  return is_serial(settings) ? Nanos{0} : Nanos{socket_of(settings)->connect_delay};
}

bool is_answered(const Result<Bytes>& answer) { return answer || answer.error().code == Errc::kException; }

}  // namespace

ModbusBus::ModbusBus(BusSettings settings, std::unique_ptr<ModbusLink> link, const Clock& clock)
    : settings_(std::move(settings)),
      lenient_(leniency(settings_)),
      link_(std::move(link)),
      clock_(clock),
      connect_delay_(delay_given(settings_)) {}

Status ModbusBus::open() {
  Status connected = connect();
  open_ = static_cast<bool>(connected);
  return connected;
}

Status ModbusBus::connect() {
  if (Status opened = link_->open(); !opened) return opened;
  ++tally_.opened;
  last_use_ = clock_.mono();
  connected_ = last_use_;
  return {};
}

void ModbusBus::close() {
  link_->close();
  open_ = false;
}

MonoTime ModbusBus::idle() {
  const TcpSettings* const socket = socket_of(settings_);
  if (socket == nullptr || !socket->idle_close || !link_->is_open()) return MonoTime::max();
  const MonoTime end = last_use_ + *socket->idle_close;
  if (clock_.mono() < end) return end;
  link_->close();
  return MonoTime::max();
}

/// Connected, silent for long enough, nothing unread.
Status ModbusBus::ready(const Peer& peer) {
  if (!open_) return Error{Errc::kBusDown, link_->name() + ": not open"};
  if (peer.line != nullptr) {
    const Status set = link_->set_mode(*peer.line);
    return set ? settle(peer.gap) : set;
  }
  idle();
  if (link_->is_open()) {
    Status silent = settle(peer.gap);
    // A server that closed a connection because it was idle is no failure of the bus.
    if (silent || silent.error().code != Errc::kBusDown) return silent;
  }
  if (Status connected = connect(); !connected) return connected;
  return settle(peer.gap);
}

Status ModbusBus::settle(Nanos gap) {
  if (connected_ && connect_delay_.current() > Nanos{0}) clock_.sleep_until(*connected_ + connect_delay_.current());
  Bytes strays;
  Status silent = link_->settle(gap, &strays);
  tally_.late_bytes += static_cast<std::int64_t>(strays.size());
  const std::size_t shown = std::exchange(shown_, 0);
  if (is_rtu(settings_)) take_others(&strays);
  hear_strays(strays, std::min(shown, strays.size()));
  return silent;
}

/// `shown`: so many of the bytes were shown before.
void ModbusBus::hear_strays(const Bytes& strays, std::size_t shown) {
  std::size_t at = 0;
  if (is_rtu(settings_)) {
    for (ModbusLink::Frame& frame : frames_in(strays)) {
      const std::size_t again = at < shown ? std::min(shown - at, frame.noise) : 0;
      at += frame.wire.size();
      frame.wire.erase(frame.wire.begin(), frame.wire.begin() + static_cast<std::ptrdiff_t>(again));
      frame.noise -= again;
      if (const auto asked = hear(frame)) unanswered(frame.unit).add(*asked, true);
    }
  }
  at = std::max(at, shown);
  if (at < strays.size()) show(FrameVerdict::kNoise, strays.data() + at, strays.size() - at);
}

void ModbusBus::show(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) const {
  if (observer_ != nullptr && size > 0) observer_->on_frame(verdict, bytes, size);
}

void ModbusBus::show(FrameVerdict verdict, const ModbusLink::Frame& frame) const {
  show(FrameVerdict::kNoise, frame.wire.data(), frame.noise);
  show(verdict, frame.wire.data() + frame.noise, frame.wire.size() - frame.noise);
}

/// What was heard and is no frame is shown when the answer is given up; it is taken off the line only with the silence
/// before the next request.
void ModbusBus::show_rest() {
  const Bytes& rest = link_->heard_bytes();
  shown_ = rest.size();
  show(FrameVerdict::kNoise, rest.data(), rest.size());
}

FrameText ModbusBus::explain(const std::uint8_t* bytes, std::size_t size) const {
  const bool rtu = is_rtu(settings_);
  const std::size_t unit = rtu ? 0 : kTcpUnitAt;
  FrameText text;
  text.protocol = rtu ? "modbus-rtu" : "modbus-tcp";
  if (size > unit) text.unit = bytes[unit];
  if (size > unit + 1) text.function = bytes[unit + 1];
  if (rtu) text.sum_right = is_rtu_frame(bytes, size);
  return text;
}

UnansweredRequests& ModbusBus::unanswered(int unit) {
  return unanswered_[lenient_ == Lenient::kBoth ? kBroadcast : unit];
}

/// Whether the answer to an earlier request can come into the connection of a later one, and look like its answer.
bool ModbusBus::may_answer_late() const {
  return is_rtu(settings_) || lenient_ == Lenient::kTransaction || lenient_ == Lenient::kBoth;
}

/// A frame that was not asked for now: an answer to an earlier request, or a second master's request; then the shape of
/// the answer to that is returned.
std::optional<Shape> ModbusBus::hear(const ModbusLink::Frame& frame) {
  const UnansweredRequests::Of whose = unanswered(frame.unit).heard(frame.pdu);
  if (whose == UnansweredRequests::Of::kOwn) times_[frame.unit].late(clock_.mono());
  const bool own = whose == UnansweredRequests::Of::kOwn;
  ++(own ? tally_.late_frames : tally_.foreign_frames);
  show(own ? FrameVerdict::kLate : FrameVerdict::kForeign, frame);
  return whose == UnansweredRequests::Of::kNone ? asked_by(frame.pdu) : std::nullopt;
}

/// Whether the first frame after a request is that request: some transceivers echo what they send. The answer to a
/// write of one value looks like its echo: what reads have shown before tells one from the other.
bool ModbusBus::is_echo(const ModbusLink::Frame& frame, const Peer& peer, const Request& request) {
  const bool same = frame.unit == peer.unit && frame.pdu == request.pdu;
  if (!same || fit(request, frame.pdu.data(), frame.pdu.size()) != Fit::kAnswer) echoes_ = same;
  return same && echoes_;
}

Result<ModbusBus::Peer> ModbusBus::peer(const Target& target, int lowest_unit) const {
  const int highest = is_rtu(settings_) ? kHighestUnit : kHighestTcpUnit;
  const Result<std::int64_t> unit = parse_integer(target.address, lowest_unit, highest);
  if (!unit) return Error{Errc::kInvalid, link_->name() + ": unit '" + target.address + "': " + unit.error().detail};
  return Peer{static_cast<int>(*unit), target.timeout.value_or(settings_.timeout), std::max(settings_.gap, target.gap),
              line_of(settings_, target)};
}

std::optional<Turnaround> ModbusBus::turnaround(const Target& target) const {
  const Result<Peer> peer = this->peer(target, kBroadcast);
  const auto times = peer ? times_.find(peer->unit) : times_.end();
  if (times == times_.end() || !times->second.usual()) return std::nullopt;
  const MonoTime now = clock_.mono();
  return Turnaround{*times->second.usual(), times->second.slowest(now),
                    std::chrono::duration_cast<Millis>(times->second.deadline(peer->timeout, now))};
}

std::string ModbusBus::where(const Peer& peer, const Request& request) const {
  return link_->name() + ", unit " + std::to_string(peer.unit) + ", " + request.text + ": ";
}

Error ModbusBus::behind_guard(const Peer& peer, const Request& request, Error error) const {
  if (error.code != Errc::kBusDown) {
    error.detail = where(peer, request) + "not asked, as the guard read before it failed: " + error.detail;
  }
  return error;
}

Result<Words> ModbusBus::read(const Target& target, const Block& block) {
  const BusTally::Busy busy(tally_, clock_);
  const Result<Request> request = to_request(block);
  if (!request) return request.error();
  if (!is_bits(block.table) && block.count > target.max_registers) {
    return Error{Errc::kInvalid, request->text + ": the meter gives at most " + std::to_string(target.max_registers)};
  }
  Result<Peer> peer = this->peer(target, is_rtu(settings_) ? kLowestOwnUnit : kBroadcast);
  if (!peer) return peer.error();
  if (target.asked_again) peer->timeout = times_[peer->unit].deadline(peer->timeout, clock_.mono());

  Exchange exchange = ask_past_others(*peer, *request, block, target.max_registers);
  if (exchange.hung_up) exchange = ask_past_others(*peer, *request, block, target.max_registers, true);
  if (!exchange.answer) return exchange.answer.error();
  return words_of(block, exchange.answer->data());
}

WriteOutcome ModbusBus::write(const Target& target, const Write& write) {
  const BusTally::Busy busy(tally_, clock_);
  const Result<Request> request = to_request(write);
  if (!request) return {request.error(), false};
  const Result<Peer> peer = this->peer(target, kLowestOwnUnit);
  if (!peer) return {peer.error(), false};

  const bool coils = write.form == Write::Form::kCoil || write.form == Write::Form::kCoils;
  const Block near{coils ? Table::kCoil : Table::kHolding, write.address, 2};
  const Exchange exchange = ask_past_others(*peer, *request, near, target.max_registers);
  return {exchange.answer ? Status{} : exchange.answer.error(), exchange.sent};
}

/// Whether the answer to an earlier request may be taken for the one to this; for a write, an exception too.
bool ModbusBus::is_hidden(const Peer& peer, const Request& request) {
  const UnansweredRequests& open = unanswered(peer.unit);
  return request.is_write() ? open.hides_function(request.shape) : open.hides(request.shape);
}

ModbusBus::Exchange ModbusBus::ask_past_others(const Peer& peer, const Request& request, const Block& near,
                                               int max_registers, bool anew) {
  for (bool again = true;; again = false) {
    const bool guarded = request.is_write() ? !unanswered(peer.unit).empty() : is_hidden(peer, request);
    const Exchange past = guarded ? pass_late_answers(peer, near, max_registers) : Exchange{Bytes{}};
    if (anew && guarded) link_->close();  // the server may hang up after each answer
    if (!is_answered(past.answer)) return {behind_guard(peer, request, past.answer.error()), false, past.hung_up};
    Exchange exchange = ask(peer, request, false);
    // Not sent, although nothing was open before: in the silence before it a second master was heard to ask the same.
    if (exchange.sent || guarded || !again || !is_hidden(peer, request)) return exchange;
  }
}

ModbusBus::Exchange ModbusBus::pass_late_answers(const Peer& peer, const Block& near, int max_registers) {
  const std::optional<Block> block = unanswered(peer.unit).guard(near, max_registers);
  if (!block) return {Bytes{}};
  const Result<Request> guard = to_request(*block);
  if (!guard) return {guard.error()};
  ++tally_.guards;
  return ask(peer, *guard, true);
}

ModbusBus::Exchange ModbusBus::ask(const Peer& peer, const Request& request, bool is_guard) {
  Exchange exchange{Bytes{}};
  if (Status silent = ready(peer); !silent) {
    exchange.answer = silent.error();
    count(exchange);
  } else if (!is_guard && is_hidden(peer, request)) {
    exchange.answer = Error{Errc::kGarbled, where(peer, request) + kNotAsked};
    return exchange;
  } else {
    exchange = send(peer, request, is_guard);
  }
  last_use_ = clock_.mono();
  if (is_answered(exchange.answer)) return exchange;
  if (exchange.answer.error().code == Errc::kBusDown) close();
  // A Modbus TCP server answers into the connection that asked; what waits behind a serial server comes into any.
  if (!is_rtu(settings_)) link_->close();
  if (exchange.sent && may_answer_late()) unanswered(peer.unit).add(request.shape);
  return exchange;
}

ModbusBus::Exchange ModbusBus::send(const Peer& peer, const Request& request, bool is_guard) {
  asked_ = clock_.mono();
  const bool first = std::exchange(connected_, std::nullopt).has_value();
  const ModbusLink::Sent sent = link_->send(peer.unit, request.pdu);
  const Bytes& out = link_->sent_bytes();
  if (sent.any) show(is_guard ? FrameVerdict::kGuard : FrameVerdict::kRequest, out.data(), out.size());
  Exchange exchange{sent.status ? await(peer, request, is_guard) : Result<Bytes>(sent.status.error()), sent.any};
  count(exchange);
  if (is_answered(exchange.answer)) {
    if (first) connect_delay_.answered();
    return exchange;
  }
  const Error error = exchange.answer.error();
  if (first && !is_rtu(settings_) && error.code == Errc::kTimeout) connect_delay_.unanswered();
  if (error.code == Errc::kBusDown && !is_serial(settings_)) {
    link_->close();
    exchange.hung_up = true;
    exchange.answer =
        Error{Errc::kGarbled, where(peer, request) + "the connection ended instead of an answer: " + error.detail};
  }
  return exchange;
}

/// Of reads only: a meter may take far longer for a write, which is always given the whole timeout.
void ModbusBus::learn(const Peer& peer, const Request& request, std::size_t answer) {
  if (request.is_write()) return;
  const MonoTime now = clock_.mono();
  const Nanos took = std::max(Nanos{0}, now - asked_ - frames_time(peer.line, request, answer));
  times_[peer.unit].answered(std::chrono::duration_cast<Micros>(took), now);
}

/// Whether unit and transaction are the request's, as far as they have to be.
bool ModbusBus::is_addressed(const ModbusLink::Frame& frame, const Peer& peer) const {
  const bool any_unit = lenient_ == Lenient::kUnit || lenient_ == Lenient::kBoth;
  const bool any_transaction = lenient_ == Lenient::kTransaction || lenient_ == Lenient::kBoth;
  return (any_unit || frame.unit == peer.unit) && (any_transaction || !frame.other_transaction);
}

/// What would take an answer that fits but for its numbers.
std::string ModbusBus::other_numbers(const ModbusLink::Frame& frame, const Peer& peer) const {
  const bool unit = frame.unit != peer.unit;
  const std::string numbers = unit && frame.other_transaction ? "transaction and unit" : unit ? "unit" : "transaction";
  const bool both = (unit && frame.other_transaction) || lenient_ != Lenient::kNone;
  return "an answer came with another " + numbers +
         " number; if it is this server's way, --bus ...,lenient=" + (both ? "both" : numbers) + " takes it";
}

Result<Bytes> ModbusBus::await(const Peer& peer, const Request& request, bool is_guard) {
  const Nanos slack = is_serial(settings_) ? kSlack : Nanos{0};
  const MonoTime deadline = clock_.mono() + peer.timeout + wire_time(peer.line, request) + slack;
  std::string strangers;
  bool disturbed = false;  // by a second master's request
  for (bool first = true;; first = false) {
    const Result<ModbusLink::Frame> frame = link_->receive(peer.unit, request.shape, deadline);
    if (!frame) {
      Error error = frame.error();
      if (error.code == Errc::kTimeout && !strangers.empty()) error = {Errc::kGarbled, strangers};
      if (error.code != Errc::kBusDown) error.detail = where(peer, request) + error.detail;
      if (!disturbed && clock_.mono() >= deadline) times_[peer.unit].unanswered(asked_);
      show_rest();
      return error;
    }
    const Bytes& pdu = frame->pdu;
    tally_.late_bytes += static_cast<std::int64_t>(frame->noise);
    if (frame->past_echo) {
      echoes_ = true;
    } else if (first && is_rtu(settings_) && is_echo(*frame, peer, request)) {
      show(FrameVerdict::kEcho, *frame);
      continue;
    }
    UnansweredRequests& open = unanswered(peer.unit);
    const Fit fits = fit(request, pdu.data(), pdu.size());
    const bool ours = is_addressed(*frame, peer) && !disturbed;
    const Fit how = ours ? fits : Fit::kNone;
    const bool certain = how != Fit::kNone && open.take(request.shape, how);
    if (how != Fit::kNone && is_guard && !certain) open.add(request.shape);
    if (how != Fit::kNone && (certain || is_guard)) {
      learn(peer, request, pdu.size());
      show(FrameVerdict::kAnswer, *frame);
      if (how == Fit::kAnswer) return pdu;
      return Error{Errc::kException, where(peer, request) + "exception " + std::to_string(pdu[1]), pdu[1]};
    }
    tally_.late_bytes += static_cast<std::int64_t>(pdu.size());
    if (how != Fit::kNone || !is_rtu(settings_)) {
      ++tally_.late_frames;
      show(FrameVerdict::kLate, *frame);
      strangers = how == Fit::kException ? "an exception came that may answer an earlier request"
                  : how == Fit::kAnswer  ? "an answer came that may be the one to an earlier request"
                  : fits != Fit::kNone   ? other_numbers(*frame, peer)
                                         : "only frames came that do not answer it";
      continue;
    }
    if (const auto asked = hear(*frame)) {
      if (!std::exchange(disturbed, true)) open.add(request.shape, true);
      unanswered(frame->unit).add(*asked, true);
    }
    strangers = disturbed ? "a second master's request came in between" : "only frames came that do not answer it";
  }
}

void ModbusBus::count(const Exchange& exchange) {
  if (exchange.sent) tally_.sent();
  tally_.ended(exchange.answer ? nullptr : &exchange.answer.error());
}

}  // namespace metergate
