#include "drivers/dlt645/dlt645_master.h"

#include <algorithm>
#include <array>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "drivers/bus_error.h"
#include "drivers/dlt645/wire_time.h"

namespace metergate {

namespace {

constexpr Nanos kSlack = std::chrono::milliseconds(20);  // drivers, USB adapters, scheduling
constexpr std::size_t kMostHeard = 2048;
constexpr std::size_t kItemBytes = 4, kItemBytesOf1997 = 2;
constexpr std::uint8_t kWrite = 0x14, kControl = 0x1C, kSetClock = 0x08;
constexpr std::size_t kPasswordBytes = 4, kFrameEnd = 2, kDateBytes = 4, kTimeBytes = 3;
constexpr std::uint32_t kDateItem = 0x04000101, kTimeItem = 0x04000102;
constexpr std::uint8_t kRead = 0x11, kReadNext = 0x12, kReadOf1997 = 0x01, kReadNextOf1997 = 0x02;

/// Items that nearly every meter has: its address, its time, its energy, a voltage.
constexpr std::array<std::uint32_t, 4> kGuards{0x04000401, 0x04000102, 0x00010000, 0x02010100};
constexpr std::array<std::uint32_t, 3> kGuardsOf1997{0xC032, 0xC011, 0x9010};

bool is_read(std::uint8_t function) {
  return function == kRead || function == kReadNext || function == kReadOf1997 || function == kReadNextOf1997;
}

std::size_t item_bytes_of(std::uint8_t function) {
  return function == kReadOf1997 || function == kReadNextOf1997 ? kItemBytesOf1997 : kItemBytes;
}

Bytes to_wire(std::uint32_t item, std::size_t bytes) {
  Bytes wire;
  for (std::size_t i = 0; i < bytes; ++i) wire.push_back(static_cast<std::uint8_t>(item >> (8 * i)));
  return wire;
}

std::string word_text(std::uint8_t word) {
  static constexpr std::array<const char*, 7> kBits{
      "other error",    "no such data",   "not authorised",  "baud cannot be changed",
      "too many zones", "too many slots", "too many tariffs"};
  std::string text;
  for (std::size_t i = 0; i < kBits.size(); ++i) {
    if ((word >> i & 1U) != 0) text += (text.empty() ? "" : ", ") + std::string(kBits.at(i));
  }
  return "error word " + std::to_string(word) + (text.empty() ? "" : ": " + text);
}

}  // namespace

Result<Dlt645Master::Peer> Dlt645Master::peer(const Target& target) const {
  const bool good = target.address.size() == 2 * Dlt645Frame::kAddressBytes &&
                    target.address.find_first_not_of("0123456789A") == std::string::npos;
  if (!good) return Error{Errc::kInvalid, port_.name() + ": '" + target.address + "' is no address of 12 digits"};
  return Peer{target.address,
              line_of(settings_, target),
              target.timeout.value_or(settings_.timeout),
              std::max(settings_.gap, target.gap),
              target.family == Family::kDlt645Of1997,
              target.preamble,
              target.utc_offset.value_or(zone_offset(clock_.utc()))};
}

std::string Dlt645Master::where(const Peer& peer, const Request& request) const {
  return port_.name() + ", address " + peer.address + ", " + request.text + ": ";
}

Dlt645Master::Request Dlt645Master::read_request(const Peer& peer, std::uint32_t item, std::size_t bytes) const {
  const std::size_t width = peer.of_1997 ? kItemBytesOf1997 : kItemBytes;
  Request request;
  request.question = {peer.of_1997 ? kReadOf1997 : kRead, item};
  request.data = to_wire(item, width);
  request.answer_bytes = width + bytes;
  request.text = "di " + item_name(whole_item(item, peer.of_1997 ? Family::kDlt645Of1997 : Family::kDlt645));
  return request;
}

std::optional<Turnaround> Dlt645Master::turnaround(const Target& target) const {
  const auto known = known_.find(target.address);
  if (known == known_.end() || !known->second.times.usual()) return std::nullopt;
  const ResponseTimes& times = known->second.times;
  const MonoTime now = clock_.mono();
  const Nanos timeout = target.timeout.value_or(settings_.timeout);
  return Turnaround{*times.usual(), times.slowest(now),
                    std::chrono::duration_cast<Millis>(times.deadline(timeout, now))};
}

void Dlt645Master::show(FrameVerdict verdict, Bytes bytes) const {
  if (observer_ == nullptr) return;
  const auto found = find_dlt645(bytes);
  if (found && (found->frame.control == kWrite || found->frame.control == kControl)) {
    const std::size_t password =
        found->end - kFrameEnd - found->frame.data.size() + (found->frame.control == kWrite ? kItemBytes : 0);
    for (std::size_t i = password; i < password + kPasswordBytes && i < bytes.size(); ++i) bytes[i] = 0;
  }
  observer_->on_frame(verdict, bytes.data(), bytes.size());
}

std::optional<FrameText> Dlt645Master::explain(const std::uint8_t* bytes, std::size_t size) {
  const auto found = outline_dlt645({bytes, bytes + size});
  if (!found) return std::nullopt;
  FrameText text;
  text.protocol = "dlt645";
  text.address = found->frame.address;
  text.function = found->frame.control;
  const bool masked = found->frame.control == kWrite || found->frame.control == kControl;
  if (!masked) text.sum_right = find_dlt645({bytes, bytes + size}).has_value();
  return text;
}

Result<UtcTime> Dlt645Master::read_clock(const Peer& peer) {
  Bytes parts;
  for (const std::uint32_t item : {kDateItem, kTimeItem}) {
    const std::size_t bytes = item == kDateItem ? kDateBytes : kTimeBytes;
    const Result<Dlt645Frame> answer = ask(peer, read_request(peer, item, bytes));
    if (!answer) return answer.error();
    if (answer->data.size() < kItemBytes + bytes) return Error{Errc::kGarbled, "the meter's clock has too few bytes"};
    for (std::size_t i = 0; i < bytes; ++i) parts.push_back(answer->data[kItemBytes + i]);
  }
  // WW DD MM YY ss mm hh
  const auto two = [&parts](std::size_t i) {
    std::string text;
    for (const int shift : {4, 0}) text += static_cast<char>('0' + (parts[i] >> shift & 0xF));
    return text;
  };
  const auto local =
      parse_rfc3339("20" + two(3) + "-" + two(2) + "-" + two(1) + "T" + two(6) + ":" + two(5) + ":" + two(4) + "Z");
  if (!local) return Error{Errc::kInvalid, "clock_unsynced: the meter's clock shows no time"};
  return *local - peer.utc_offset;
}

namespace {

/// ss mm hh DD MM YY.
Bytes time_bytes(UtcTime local) {
  const std::string text = rfc3339(local);  // 2026-11-28T10:20:30
  Bytes bytes;
  for (const std::size_t at : {17U, 14U, 11U, 8U, 5U, 2U}) {
    bytes.push_back(static_cast<std::uint8_t>((text[at] - '0') << 4 | (text[at + 1] - '0')));
  }
  return bytes;
}

/// Decimal digits as bytes, low digits first.
void append_digits(const std::string& digits, Bytes* out) {
  for (std::size_t i = digits.size(); i >= 2; i -= 2) {
    out->push_back(static_cast<std::uint8_t>((digits[i - 2] - '0') << 4 | (digits[i - 1] - '0')));
  }
}

Error off_by(Millis difference) {
  return {Errc::kInvalid, "clock_unsynced: the meter's clock is " +
                              std::to_string(std::chrono::duration_cast<std::chrono::seconds>(difference).count()) +
                              " s off, and may be 300 s; is utc-offset= of --meter right?"};
}

}  // namespace

Result<Dlt645Master::Request> Dlt645Master::relay_request(const Peer& peer, const Target& target, const Write& write) {
  if (!target.password) return Error{Errc::kInvalid, "not_writable: no password"};
  if (known(peer.address).locked) {
    return Error{Errc::kInvalid,
                 "not_authorised: the meter refused this password before; it is not sent again by this process"};
  }
  const Result<UtcTime> shown = read_clock(peer);
  if (!shown) return shown.error();
  const UtcTime now = clock_.utc();
  if (std::chrono::abs(*shown - now) > kLargestError) return off_by(*shown - now);
  Request request;
  request.question = {kControl, std::nullopt};
  request.data.push_back(static_cast<std::uint8_t>(target.password->level));
  append_digits(target.password->digits, &request.data);
  append_digits(target.password->operator_code, &request.data);
  request.data.push_back(static_cast<std::uint8_t>(write.values.front()));
  request.data.push_back(0);
  const UtcTime until = std::min(write.time.value_or(UtcTime::max()), now + kLongestOrder);
  const Bytes end = time_bytes(until + peer.utc_offset);
  request.data.insert(request.data.end(), end.begin(), end.end());
  request.text = "relay order";
  return request;
}

Result<Dlt645Master::Request> Dlt645Master::clock_request(const Peer& peer, const Write& write) {
  constexpr Millis kDay{86'400'000}, kBefore{600'000}, kBehind{600'000};
  const auto& last = known(peer.address).clock_set;
  if (last && clock_.mono() - *last < kClockPause) {
    return Error{Errc::kInvalid, "refused: the clock was set within the last day"};
  }
  const Result<UtcTime> shown = read_clock(peer);
  if (!shown) return shown.error();
  const UtcTime time = write.time.value_or(clock_.utc());
  if (std::chrono::abs(*shown - time) >= kLargestError) return off_by(*shown - time);
  const Millis of_day = (*shown + peer.utc_offset).time_since_epoch() % kDay;
  if (of_day < kBehind || of_day >= kDay - kBefore) {
    return Error{Errc::kInvalid, "refused: a meter's clock is not set within 10 min of its midnight"};
  }
  Request request;
  request.question = {kSetClock, std::nullopt};
  request.data = time_bytes(time + peer.utc_offset);
  request.text = "clock";
  return request;
}

WriteOutcome Dlt645Master::write(const Target& target, const Write& write) {
  const BusTally::Busy busy(tally_, clock_);
  const Result<Peer> peer = this->peer(target);
  if (!peer) return {peer.error(), false};
  const bool relay = write.form == Write::Form::kRelay;
  if (peer->of_1997 || (!relay && write.form != Write::Form::kClock)) {
    return {Error{Errc::kInvalid, "not_writable: " + port_.name() + ": such meters are not written"}, false};
  }
  const Result<Request> request = relay ? relay_request(*peer, target, write) : clock_request(*peer, write);
  if (!request) return {request.error(), false};
  if (!known(peer->address).open.empty()) {
    if (Status past = pass_late_answers(*peer, std::nullopt); !past) return {past.error(), false};
  }
  const std::int64_t before = asks_;
  const Result<Dlt645Frame> answer = ask(*peer, *request);
  Known& meter = known(peer->address);
  if (answer && !relay) meter.clock_set = clock_.mono();
  const bool refused = !answer && answer.error().code == Errc::kException;
  meter.locked = meter.locked || (relay && refused && (answer.error().exception & kNotAuthorisedBit) != 0);
  return {answer ? Status() : Status(answer.error()), asks_ > before};
}

Dlt645Master::Known& Dlt645Master::known(const std::string& address) {
  if (known_.size() >= kMostKnown && known_.count(address) == 0) known_.clear();
  return known_[address];
}

Result<Words> Dlt645Master::read(const Target& target, const Block& block) {
  const BusTally::Busy busy(tally_, clock_);
  Result<Peer> peer = this->peer(target);
  if (!peer) return peer.error();
  Known& meter = known(peer->address);
  if (target.asked_again) peer->timeout = meter.times.deadline(peer->timeout, clock_.mono());
  const Request request = read_request(*peer, block.item, block.count);
  if (meter.doubtful) {
    if (Status past = pass_late_answers(*peer, block.item); !past) {
      Error error = past.error();
      if (error.code != Errc::kBusDown) {
        error.detail =
            where(*peer, request) + "not asked, as the guard read before it failed: " + std::move(error.detail);
      }
      return error;
    }
  }
  Result<Dlt645Frame> answer = ask(*peer, request);
  if (!answer) return answer.error();
  const auto head = static_cast<std::ptrdiff_t>(item_bytes_of(request.question.function));
  Bytes value(answer->data.begin() + head, answer->data.end());
  // The bit for more data also announces events where the value is whole (meters of the State Grid since 2013).
  if (answer->says_more() && (block.count == 0 || value.size() < block.count)) {
    if (Status rest = read_parts(*peer, request, &value); !rest) return rest.error();
  }
  return Words(value.begin(), value.end());
}

Status Dlt645Master::read_parts(const Peer& peer, const Request& first, Bytes* value) {
  for (int part = 1; part < kMostParts; ++part) {
    Request next = first;
    next.question.function = peer.of_1997 ? kReadNextOf1997 : kReadNext;
    const bool numbered = !peer.of_1997;
    if (numbered) next.data.push_back(static_cast<std::uint8_t>(part));
    next.text += ", part " + std::to_string(part + 1);
    Result<Dlt645Frame> answer = ask(peer, next);
    if (!answer) {
      // Another item than the one that was asked: what is pending are events, the value was whole.
      if (answer.error().code == Errc::kNotFound) return {};
      return answer.error();
    }
    const std::size_t head = item_bytes_of(next.question.function), tail = numbered ? 1 : 0;
    if (answer->data.size() < head + tail || (numbered && answer->data.back() != part)) {
      return Error{Errc::kGarbled, where(peer, next) + "another part came"};
    }
    value->insert(value->end(), answer->data.begin() + static_cast<std::ptrdiff_t>(head),
                  answer->data.end() - static_cast<std::ptrdiff_t>(tail));
    if (!answer->says_more()) return {};
  }
  return Error{Errc::kGarbled, where(peer, first) + "more than " + std::to_string(kMostParts) + " parts"};
}

Status Dlt645Master::pass_late_answers(const Peer& peer, std::optional<std::uint32_t> besides) {
  const OpenQuestions& open = known(peer.address).open;
  const std::uint32_t* from = peer.of_1997 ? kGuardsOf1997.data() : kGuards.data();
  const std::uint32_t* const end = from + (peer.of_1997 ? kGuardsOf1997.size() : kGuards.size());
  const auto* fresh = std::find_if(from, end, [&](std::uint32_t item) { return item != besides && !open.holds(item); });
  if (fresh == end) fresh = from;
  ++tally_.guards;
  Request guard = read_request(peer, *fresh, 0);
  guard.is_guard = true;
  const Result<Dlt645Frame> answer = ask(peer, guard);
  return answer ? Status() : Status(answer.error());
}

Status Dlt645Master::ready(const Peer& peer) {
  if (!port_.is_open()) {
    if (is_serial(settings_)) return Error{Errc::kBusDown, port_.name() + ": not open"};
    if (Status opened = port_.open(); !opened) return opened;
    ++tally_.opened;
  }
  if (peer.line != nullptr) {
    if (Status set = port_.set_mode(*peer.line); !set) return set;
  }
  Bytes strays = std::exchange(rest_, Bytes());
  Status silent = port_.settle_for(kSilence + peer.gap, &strays);
  if (!silent && silent.error().code == Errc::kBusDown && !is_serial(settings_)) {
    // A server that closed a connection because it was idle is no failure of the bus.
    silent = port_.open();
    if (silent) ++tally_.opened;
  }
  tally_.late_bytes += static_cast<std::int64_t>(strays.size());
  hear(&strays);
  if (!strays.empty()) unknown(strays);
  return silent;
}

void Dlt645Master::hear(Bytes* strays) {
  while (const auto found = find_dlt645(*strays)) {
    show(note_stranger(found->frame), {strays->begin() + static_cast<std::ptrdiff_t>(found->begin),
                                       strays->begin() + static_cast<std::ptrdiff_t>(found->end)});
    strays->erase(strays->begin() + static_cast<std::ptrdiff_t>(found->begin),
                  strays->begin() + static_cast<std::ptrdiff_t>(found->end));
  }
}

std::optional<std::uint32_t> Dlt645Master::item_of(const Dlt645Frame& frame) {
  const std::size_t bytes = item_bytes_of(frame.function());
  if (!is_read(frame.function()) || frame.is_error() || frame.data.size() < bytes) return std::nullopt;
  std::uint32_t item = 0;
  for (std::size_t i = bytes; i > 0; --i) item = item << 8 | frame.data[i - 1];
  return item;
}

/// A frame that answers nothing that is asked now: late, or of another master and what that is answered.
FrameVerdict Dlt645Master::note_stranger(const Dlt645Frame& frame) {
  const auto meter = known_.find(frame.address);
  const Dlt645Question question{frame.function(), item_of(frame)};
  if (!frame.is_answer()) {
    ++tally_.foreign_frames;
    if (meter != known_.end()) meter->second.open.add(question);
    return FrameVerdict::kForeign;
  }
  const bool late = meter != known_.end() && meter->second.open.heard(question);
  ++(late ? tally_.late_frames : tally_.foreign_frames);
  if (late) meter->second.times.late(clock_.mono());
  return late ? FrameVerdict::kLate : FrameVerdict::kForeign;
}

Result<Dlt645Frame> Dlt645Master::ask(const Peer& peer, const Request& request) {
  if (Status silent = ready(peer); !silent) {
    tally_.ended(&silent.error());
    return silent.error();
  }
  const Bytes sent = to_bytes({peer.address, request.question.function, request.data}, peer.preamble);
  show(request.is_guard ? FrameVerdict::kGuard : FrameVerdict::kRequest, sent);
  asked_ = clock_.mono();
  ++asks_;
  if (Status written = port_.write(sent); !written) {
    tally_.ended(&written.error());
    return written.error();
  }
  tally_.sent();
  Result<Dlt645Frame> answer = await(peer, request, sent);
  const Error* const error = answer ? nullptr : &answer.error();
  tally_.ended(error != nullptr && error->code == Errc::kNotFound ? nullptr : error);
  if (error != nullptr && (no_valid_frame(*error) || error->code == Errc::kBusDown)) {
    known(peer.address).open.add(request.question);
  }
  return answer;
}

Result<Dlt645Frame> Dlt645Master::await(const Peer& peer, const Request& request, const Bytes& sent) {
  const Nanos slack = is_serial(settings_) ? kSlack : Nanos{0};
  const MonoTime first = clock_.mono() + peer.timeout + slack;
  const MonoTime last = first + answer_time(peer.line, request.answer_bytes) + kByteTimeout;
  Known& meter = known(peer.address);
  OpenQuestions& open = meter.open;
  Bytes heard;
  std::string strangers;
  MonoTime deadline = first;
  for (;;) {
    std::array<std::uint8_t, 256> bytes{};
    const Result<std::size_t> n = port_.read(bytes.data(), bytes.size(), deadline);
    if (!n) {
      if (n.error().code != Errc::kTimeout) return n.error();
      tally_.late_bytes += static_cast<std::int64_t>(heard.size());
      if (clock_.mono() >= first) meter.times.unanswered(asked_);
      const Error error = silence(peer, request, heard, strangers);
      if (!heard.empty()) unknown(heard);
      return error;
    }
    heard.insert(heard.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*n));
    deadline = std::min(last, std::max(first, clock_.mono() + kByteTimeout));
    if (heard.size() > kMostHeard) heard.erase(heard.begin(), heard.end() - kMostHeard);
    while (const auto found = find_dlt645(heard)) {
      const Dlt645Frame& frame = found->frame;
      const Bytes raw(heard.begin() + static_cast<std::ptrdiff_t>(found->begin),
                      heard.begin() + static_cast<std::ptrdiff_t>(found->end));
      heard.erase(heard.begin(), heard.begin() + static_cast<std::ptrdiff_t>(found->end));
      if (!frame.is_answer() && raw.size() <= sent.size() && std::equal(raw.rbegin(), raw.rend(), sent.rbegin())) {
        show(FrameVerdict::kEcho, raw);
        continue;
      }
      const bool ours =
          frame.is_answer() && is_called(peer.address, frame.address) && frame.function() == request.question.function;
      const auto item = item_of(frame);
      if (ours && frame.is_error()) {
        const std::uint8_t word = frame.data.empty() ? 0 : frame.data.front();
        if (open.take_unnamed(request.question)) {
          rest_ = heard;
          show(FrameVerdict::kAnswer, raw);
          return Error{Errc::kException, where(peer, request) + word_text(word), kErrorWord + word};
        }
        meter.doubtful = true;
        ++tally_.late_frames;
        show(FrameVerdict::kLate, raw);
        strangers = "an error came that may answer an earlier request";
      } else if (ours && !request.question.item && open.take_unnamed(request.question)) {
        rest_ = heard;
        show(FrameVerdict::kAnswer, raw);
        return frame;
      } else if (ours && item && *item == request.question.item) {
        const Nanos took = clock_.mono() - asked_ - frames_time(peer.line, sent.size(), frame.data.size());
        meter.times.answered(std::chrono::duration_cast<Micros>(std::max(Nanos{0}, took)), clock_.mono());
        open.answered(request.question);
        meter.doubtful = false;
        rest_ = heard;
        show(FrameVerdict::kAnswer, raw);
        return frame;
      } else if (ours && item && (frame.function() == kReadNext || frame.function() == kReadNextOf1997)) {
        rest_ = heard;
        show(FrameVerdict::kAnswer, raw);
        return Error{Errc::kNotFound, where(peer, request) + "another item came"};
      } else {
        show(note_stranger(frame), raw);
        strangers = frame.is_answer() ? "only frames came that do not answer it"
                                      : "another master asks on this line: " + frame.address;
      }
      tally_.late_bytes += static_cast<std::int64_t>(raw.size());
    }
  }
}

Error Dlt645Master::silence(const Peer& peer, const Request& request, const Bytes& heard,
                            const std::string& strangers) const {
  if (!strangers.empty()) return {Errc::kGarbled, where(peer, request) + strangers};
  if (holds_damaged_dlt645(heard)) return {Errc::kCrc, where(peer, request) + "check sum wrong"};
  if (heard.empty()) return {Errc::kTimeout, where(peer, request) + "no answer"};
  return {Errc::kGarbled, where(peer, request) + "what came is no answer, or broke off"};
}

}  // namespace metergate
