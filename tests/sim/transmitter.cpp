#include "tests/sim/transmitter.h"

#include <algorithm>

namespace metersim {
namespace {

constexpr std::size_t kMaxWaiting = 64;

/// Another bit each time, so that in the long run every field of a frame is hit.
void flip_a_bit(Bytes& bytes, std::uint64_t number) {
  bytes[static_cast<std::size_t>(number * 7) % bytes.size()] ^= static_cast<std::uint8_t>(1U << (number % 8));
}

}  // namespace

void Transmitter::queue(Outgoing outgoing, Nanos now) {
  if (waiting_.size() < kMaxWaiting)
    waiting_.push_back(std::move(outgoing));
  else if (outgoing.answer)
    station_.lost(*outgoing.answer, "queue full", now);
}

void Transmitter::drop_waiting(const char* why, bool late_only, Nanos now) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (late_only && (!it->answer || it->answer->fault.late == 0)) {
      ++it;
      continue;
    }
    if (it->answer) station_.lost(*it->answer, why, now);
    it = waiting_.erase(it);
  }
}

void Transmitter::stop(const char* why, Nanos now) {
  if (current_ && current_->answer) station_.lost(*current_->answer, why, now);
  current_.reset();
  drop_waiting(why, false, now);
  free_ = now;
}

Nanos Transmitter::start_of_next() const { return std::max(waiting_.front().due, free_ + pause_); }

std::optional<Due> Transmitter::deadline() const {
  if (current_) {
    const std::size_t size = current_->bytes.size();
    const std::size_t next = std::min(size, through_ + fifo_);
    return Due{start_ + static_cast<Nanos>(next) * current_->byte_time, next == size || through_ == 0};
  }
  if (waiting_.empty()) return std::nullopt;
  return Due{start_of_next(), waiting_.front().byte_time == 0};
}

void Transmitter::step(Nanos now) {
  while (current_ || (!waiting_.empty() && start_of_next() <= now)) {
    if (!current_) {
      start_ = start_of_next();
      current_ = std::move(waiting_.front());
      waiting_.pop_front();
      through_ = 0;
      free_ = start_ + static_cast<Nanos>(current_->bytes.size()) * current_->byte_time;
    }
    const std::size_t size = current_->bytes.size();
    const Nanos each = current_->byte_time;
    std::size_t through = each == 0 ? size : std::min(size, static_cast<std::size_t>((now - start_) / each));
    if (through < size) through -= through % fifo_;
    if (through > through_) sink_(current_->bytes.data() + through_, through - through_);
    through_ = std::max(through, through_);
    if (through_ < size) return;
    finish(now);
  }
}

void Transmitter::finish(Nanos now) {
  const Outgoing done = std::move(*current_);
  current_.reset();
  station_.line(line_).busy += static_cast<Nanos>(done.bytes.size()) * done.byte_time;
  if (done.answer)
    station_.sent(*done.answer, start_, done.ideal, now - free_, now);
  else
    station_.foreign(line_, now);
}

void send(Transmitter& transmitter, const Framing& framing, Answer answer, Nanos due, Nanos ideal, Nanos now) {
  const auto unit = static_cast<std::uint8_t>(answer.exchange.unit);
  Transmitter::Outgoing out;
  out.due = due + answer.fault.late;
  out.byte_time = framing.byte_time + answer.fault.byte_gap;
  out.ideal = ideal;
  if (answer.fault.foreign) {
    out.bytes = framing.frame(static_cast<std::uint8_t>(unit % 247 + 1), answer.pdu);
    transmitter.queue(out, now);
  }
  const Served& served = answer.exchange.served;
  const bool values = !answer.whole && answer.pdu[0] < 5 && served.address >= 0 && served.count >= 0;
  if (answer.fault.second && values && framing.byte_time > 0) {
    const auto byte = [](int value) { return static_cast<std::uint8_t>(value & 0xFF); };
    const int address = served.address ^ 0x100;
    out.bytes = framing.frame(
        unit, {answer.pdu[0], byte(address >> 8), byte(address), byte(served.count >> 8), byte(served.count)});
    transmitter.queue(out, now);
    Bytes others = answer.pdu;
    for (std::size_t i = 2; i < others.size(); ++i) others[i] ^= 0x55;
    out.bytes = framing.frame(unit, others);
    transmitter.queue(out, now);
  }
  out.bytes = framing.frame(unit, answer.pdu);
  if (answer.fault.corrupt) flip_a_bit(out.bytes, answer.exchange.number);
  if (answer.fault.noise) out.bytes.insert(out.bytes.begin(), 0);
  out.answer = std::move(answer);
  transmitter.queue(std::move(out), now);
}

}  // namespace metersim
