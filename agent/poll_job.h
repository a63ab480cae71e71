#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/codec.h"
#include "agent/schedule.h"
#include "agent/setup.h"

namespace metergate {

/// The polls of one meter that are read together: which blocks are still to be asked, what came, and the readings it
/// makes. Rounds: each round asks what is missing; between rounds the job waits with growing pauses until its polls'
/// retry windows close. Pure; one thread.
class PollJob {
 public:
  PollJob(const BusSetup& bus, std::size_t meter, const std::vector<Schedule::Due>& due, MonoTime now);

  std::size_t meter() const { return meter_; }
  MonoTime began() const { return began_; }
  /// A valid frame came from the meter, an exception too.
  bool saw_frame() const { return saw_frame_; }

  /// The block to ask now, none when the round is over.
  std::optional<Block> next() const;
  void answered(const Words& words, MonoTime now);
  void failed(const Error& error);
  /// Ends the round without asking the rest, which fails likewise: the meter does not answer at all.
  void abandon(const Error& error);

  /// After a round: the readings that are final now, with their polls; what is left waits until retry_at(). `give_up`:
  /// all are. The time of a reading's first answer is told by the wall clock of now, so that records are stamped in the
  /// order of their numbers also when the clock was set in between.
  struct Done {
    std::size_t poll = 0;
    Reading reading;
  };
  std::vector<Done> finish(const Moment& now, bool synced, const std::string& catalog, bool give_up);
  bool over() const { return polls_.empty(); }
  MonoTime retry_at() const { return retry_at_; }
  void retry();

 private:
  struct Waiting {
    std::size_t poll = 0;
    std::optional<UtcTime> slot;
    MonoTime until{};
  };
  Reading reading_of(const Waiting& waiting, Stamp stamp, const std::string& catalog) const;
  const Error* failure_of_registers(const Block& registers) const;

  const BusSetup& bus_;
  std::size_t meter_;
  MonoTime began_;
  std::vector<Waiting> polls_;
  std::vector<Block> todo_;
  std::vector<std::pair<Block, Error>> failures_;
  RegisterImage image_;
  bool saw_frame_ = false;
  int rounds_ = 0;
  MonoTime retry_at_{};
  std::optional<MonoTime> first_;  // answer
  MonoTime last_{};
};

/// Worth another try: timeout, crc, garbled, and the exceptions 5 and 6 (busy).
bool passing(const Error& error);

}  // namespace metergate
