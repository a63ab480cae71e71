#include "tests/sim/rtu_wire.h"

#include <algorithm>

#include "tests/sim/text.h"

namespace metersim {

LineTiming LineTiming::of(int baud, const std::string& mode) {
  LineTiming timing;
  const bool ten = mode == "8N1";
  if (!ten && mode != "8N2" && mode != "8E1" && mode != "8O1")
    throw Refused("--mode '" + mode + "' is none of 8N1, 8N2, 8E1, 8O1");
  timing.byte_time = (ten ? 10 : 11) * kSecond / baud;
  timing.silence = baud <= 19200 ? timing.byte_time * 7 / 2 : 1750 * kMicrosecond;
  return timing;
}

LineTiming LineTiming::unpaced() {
  LineTiming timing;
  timing.silence = 1750 * kMicrosecond;
  timing.strict = false;
  return timing;
}

RtuWire::RtuWire(std::string name, const LineTiming& timing, Station& station, Transmitter::Sink sink)
    : name_(name),
      timing_(timing),
      station_(station),
      transmitter_(std::move(name), station, timing.fifo, timing.silence, std::move(sink)) {}

void RtuWire::receive(const std::uint8_t* data, std::size_t size, Nanos now) {
  station_.line(name_).busy += static_cast<Nanos>(size) * timing_.byte_time;
  for (std::size_t i = 0; i < size; ++i) {
    const Nanos free = transmitter_.free_at();
    const Nanos start = std::max(now, free);
    if (!frame_.empty() && start - frame_end_ >= timing_.silence) end_frame(now);
    if (frame_.empty()) {
      frame_gap_ = start - free;
      frame_start_ = start;
    }
    if (frame_.size() <= kMaxRtuFrame) frame_.push_back(data[i]);
    frame_end_ = start + timing_.byte_time;
    transmitter_.occupy_until(frame_end_);
    if (!station_.has_item_meters()) continue;
    if (const auto request = request_at_end(frame_)) take_item_request(*request, frame_.size(), now);
  }
}

/// Ends by its length: no silence is waited for.
void RtuWire::take_item_request(const ItemFrame& request, std::size_t size, Nanos now) {
  frame_.clear();
  LineStats& stats = station_.line(name_);
  if (stats.first < 0)
    stats.first = frame_start_;
  else
    stats.gap.add(frame_gap_);
  auto answer = station_.request(ItemArrival{name_, request, now, frame_gap_});
  if (timing_.late_drop) transmitter_.drop_waiting("superseded", true, now);
  if (!answer) return;
  const Nanos turn = answer->turn;
  const Nanos ideal = static_cast<Nanos>(size + answer->pdu.size()) * timing_.byte_time + turn;
  const auto as_it_is = [](std::uint8_t, const Bytes& bytes) { return bytes; };
  send(transmitter_, {as_it_is, timing_.byte_time}, std::move(*answer), frame_end_ + turn, ideal, now);
}

void RtuWire::end_frame(Nanos now) {
  const Bytes frame = std::move(frame_);
  frame_.clear();
  if (!rtu_valid(frame)) {
    station_.garbage(name_, frame, now);
    return;
  }
  Arrival arrival;
  arrival.line = name_;
  arrival.unit = frame[0];
  arrival.pdu.assign(frame.begin() + 1, frame.end() - 2);
  arrival.now = now;
  arrival.gap = frame_gap_;
  arrival.violation = timing_.byte_time > 0 && frame_gap_ < timing_.silence;
  arrival.strict = timing_.strict;
  LineStats& stats = station_.line(name_);
  if (stats.first < 0)
    stats.first = frame_start_;
  else
    stats.gap.add(frame_gap_);

  auto answer = station_.request(arrival);
  if (timing_.late_drop) transmitter_.drop_waiting("superseded", true, now);
  if (!answer) return;
  // No meter can answer sooner: it needs that silence to see the end of the request.
  const Nanos turn = std::max(timing_.silence, answer->turn);
  const auto bytes = static_cast<Nanos>(frame.size() + answer->pdu.size() + 3);
  const Nanos ideal = bytes * timing_.byte_time + turn + timing_.silence;
  const auto as_it_is = [](std::uint8_t, const Bytes& bytes_of_line) { return bytes_of_line; };
  const Framing framing = answer->whole ? Framing{as_it_is, timing_.byte_time} : Framing{rtu_frame, timing_.byte_time};
  send(transmitter_, framing, std::move(*answer), frame_end_ + turn, ideal, now);
}

void RtuWire::hang_up(Nanos now) {
  frame_.clear();
  transmitter_.stop("hung up", now);
}

std::optional<Due> RtuWire::deadline() const {
  auto due = transmitter_.deadline();
  if (!frame_.empty() && (!due || frame_end_ + timing_.silence < due->at)) due = Due{frame_end_ + timing_.silence};
  return due;
}

void RtuWire::step(Nanos now) {
  if (!frame_.empty() && now >= frame_end_ + timing_.silence) end_frame(now);
  const auto answers = station_.line(name_).answers;
  transmitter_.step(now);
  if (LineStats& stats = station_.line(name_); stats.answers != answers)
    stats.last = transmitter_.free_at() + timing_.silence;
}

}  // namespace metersim
