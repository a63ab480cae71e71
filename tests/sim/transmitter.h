#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>

#include "tests/sim/station.h"

namespace metersim {

/// When something has to be done. `exact`: to the microsecond, worth a short spin.
struct Due {
  Nanos at;
  bool exact = false;
};

/// Sends answers one after the other, each byte at its time.
class Transmitter {
 public:
  struct Outgoing {
    Bytes bytes;
    Nanos due = 0;        ///< not before
    Nanos byte_time = 0;  ///< 0: all at once
    Nanos ideal = 0;
    std::optional<Answer> answer;  ///< none for another unit's frame
  };
  using Sink = std::function<void(const std::uint8_t* data, std::size_t size)>;

  /// `pause` is kept before each answer; bytes leave `fifo` at a time.
  Transmitter(std::string line, Station& station, std::size_t fifo, Nanos pause, Sink sink)
      : line_(std::move(line)), station_(station), fifo_(fifo), pause_(pause), sink_(std::move(sink)) {}

  /// What does not fit any more is lost.
  void queue(Outgoing outgoing, Nanos now);
  /// Forgets what waits, but for what is being sent; `late_only` spares answers that are in time.
  void drop_waiting(const char* why, bool late_only, Nanos now);
  void stop(const char* why, Nanos now);

  /// Until when the wire is taken.
  Nanos free_at() const { return free_; }
  void occupy_until(Nanos time) { free_ = time; }

  std::optional<Due> deadline() const;
  void step(Nanos now);

 private:
  Nanos start_of_next() const;
  void finish(Nanos now);

  std::string line_;
  Station& station_;
  std::size_t fifo_;
  Nanos pause_;
  Sink sink_;
  std::deque<Outgoing> waiting_;
  std::optional<Outgoing> current_;
  Nanos start_ = 0;
  std::size_t through_ = 0;
  Nanos free_ = 0;
};

/// The bytes and times of one answer, faults included, put into the transmitter. `frame` wraps a PDU for the line.
struct Framing {
  std::function<Bytes(std::uint8_t unit, const Bytes& pdu)> frame;
  Nanos byte_time = 0;
};
void send(Transmitter& transmitter, const Framing& framing, Answer answer, Nanos due, Nanos ideal, Nanos now);

}  // namespace metersim
