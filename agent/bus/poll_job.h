#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/bus/block_reader.h"
#include "agent/bus/meter_plan.h"
#include "agent/bus/schedule.h"
#include "agent/bus/unsupported_points.h"
#include "agent/config/site.h"
#include "agent/protocol/codec.h"

namespace metergate {

/// The polls of one meter that are read together, and the readings that they make. Each round asks what is missing;
/// between rounds the job waits with growing pauses until the retry windows of its polls close. Pure; one thread.
class PollJob {
 public:
  /// `unsupported` is what the meter is known not to support, and learns more; it and the plan outlive the job. Where
  /// nothing is left to ask, the first point is asked all the same, to see whether the meter lives.
  PollJob(const BusConfig& bus, std::size_t meter, const std::vector<Schedule::Due>& due,
          UnsupportedPoints& unsupported, MeterPlan& plan, MonoTime now);

  std::size_t meter() const { return meter_; }
  MonoTime began() const { return began_; }
  /// A valid frame came from the meter, an exception too.
  bool saw_frame() const { return saw_frame_; }

  /// The block to ask now, none when the round is over.
  std::optional<Block> next() const { return reader_.next(); }
  void answered(const Words& words, MonoTime now);
  void failed(const Error& error, MonoTime now);
  /// Takes blocks still to be asked from an answer that somebody else got. False: none of them is in it.
  bool take_over(const Block& block, const Words& words, MonoTime now);
  /// Ends the round without asking the rest, which fails likewise: the meter does not answer at all.
  void abandon(const Error& error) { reader_.abandon(error); }

  /// Asks these too in this round, but for what came in it already and what the meter is known not to support.
  void ask(const std::vector<const Point*>& points);
  /// Asks the blocks of a point once more; what they held is not known until they are answered.
  void ask_again(const Point& point) { reader_.ask_again(point); }
  /// The point's value, if this round brought it; else null. Valid until the next answer.
  const Value* fresh(const Point& point) const;

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
  /// From then on no poll of it waits for another try.
  MonoTime closes_at() const;
  void retry() { reader_.begin_round(); }

 private:
  struct Waiting {
    std::size_t poll = 0;
    std::optional<UtcTime> slot;
    MonoTime until{};
  };
  Reading reading_of(const Waiting& waiting, Stamp stamp, const std::string& catalog) const;
  std::optional<Error> why_missing(const Point& point) const;
  void came(MonoTime now);
  std::vector<const Point*> wanted() const;
  const MeterConfig& config() const { return bus_.meters[meter_]; }

  const BusConfig& bus_;
  std::size_t meter_;
  UnsupportedPoints& unsupported_;
  MeterPlan& plan_;
  BlockReader reader_;
  MonoTime began_;
  std::vector<Waiting> polls_;
  std::vector<std::pair<const Point*, int>> left_out_;  // by what is known to be unsupported, with the exception
  bool saw_frame_ = false;
  int rounds_ = 0;
  MonoTime retry_at_{};
  std::optional<MonoTime> first_;  // answer
  MonoTime last_{};
};

}  // namespace metergate
