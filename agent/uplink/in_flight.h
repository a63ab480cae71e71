#pragma once

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "agent/uplink/connection.h"
#include "agent/uplink/source.h"

namespace metergate {

/// A message between publish() and its PUBACK, and what its PUBACK or its loss means.
struct SentMessage {
  Handle handle = 0;
  Source source = Source::kReadings;
  std::size_t bytes = 0;
  std::size_t queued = 0;  ///< bytes in flight when it was sent, its own among them; set by InFlight
  MonoTime sent{};         ///< set by InFlight
  std::int64_t records = 0;
  std::int64_t last_key = 0;              ///< sent: the last record of a lane's next batch, else 0
  bool resent = false;                    ///< of a lane's window that got no receipt
  std::vector<std::int64_t> republished;  ///< keys of records that a repeated command wants
  std::int64_t replay_piece = 0;          ///< of a replay, else 0
  bool online = false;                    ///< a status that says `online`
};

/// The messages that the broker has not acknowledged yet, in the order of sending. Pure; one thread.
class InFlight {
 public:
  static constexpr Millis kPatience{15'000};  ///< for a PUBACK, and four times what the link is thought to need for it

  explicit InFlight(int most) : most_(static_cast<std::size_t>(most)) {}

  bool full() const { return messages_.size() >= most_; }
  bool empty() const { return messages_.empty(); }
  std::size_t messages() const { return messages_.size(); }
  std::size_t bytes() const;
  SourceSet sources() const;
  std::size_t largest() const;  ///< bytes of the largest message
  /// Bytes that a new message of the source has to wait for. Readings wait for all that is in flight, the others only
  /// for what is not readings.
  std::size_t bytes_before(Source source) const;
  /// How long the oldest has waited; 0 if none does.
  Nanos age(MonoTime now) const;
  /// When the oldest has waited too long, on a link that takes so many bytes in a second; MonoTime::max() if none
  /// waits.
  MonoTime overdue(std::size_t bytes_a_second) const;

  /// Only if not full().
  void add(SentMessage message, MonoTime now);
  /// Takes the message out. Nothing: no such message is in flight.
  std::optional<SentMessage> acked(Handle handle);
  /// The connection is gone: takes all out, oldest first.
  std::deque<SentMessage> lost();

 private:
  std::size_t most_;
  std::deque<SentMessage> messages_;
  std::array<std::size_t, kSources> bytes_{};
};

}  // namespace metergate
