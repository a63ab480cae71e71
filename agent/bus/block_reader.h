#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "agent/bus/unsupported_points.h"
#include "agent/config/site.h"
#include "drivers/bus_error.h"

namespace metergate {

/// Reads blocks of one meter, one request at a time: which are still to be asked, what came, what failed, and the
/// values that it gives. A block that is refused (exception 2 or 3, a meter's error word) is asked in halves, down to
/// single values; of a block of data items what it does not give is asked by itself. Pure; one thread.
class BlockReader {
 public:
  /// `unsupported`: what the meter is known not to support; learns more. Null: nothing is learned, and every refused
  /// block is asked down to its last value. Both outlive the reader.
  explicit BlockReader(const MeterConfig& meter, UnsupportedPoints* unsupported = nullptr)
      : meter_(meter), unsupported_(unsupported) {}

  /// Asks these blocks too; `points`: those that are wanted of them.
  void ask(const std::vector<const Point*>& points, const std::vector<Block>& blocks);
  /// Asks the blocks of a point once more; what they held is not known until they are answered.
  void ask_again(const Point& point);
  /// Another round: what failed and passes by itself is asked again.
  void begin_round();
  /// What is left fails with `error` and is not asked.
  void abandon(const Error& error);

  /// The block to ask now; none: the round is over.
  std::optional<Block> next() const;
  void answered(const Words& words, MonoTime now);
  /// True: it is asked in parts.
  bool failed(const Error& error, MonoTime now);
  /// Takes blocks still to be asked from an answer that somebody else got. False: none of them is in it.
  bool take_over(const Block& block, const Words& words, MonoTime now);

  /// The registers of the point itself were answered in this round.
  bool came(const Point& point) const;
  /// All that the point needs was answered, in this round or before.
  bool whole(const Point& point) const;
  /// Why something that the point needs is missing, where it is known.
  std::optional<Error> failure(const Point& point) const;
  const std::vector<std::pair<Block, Error>>& failures() const { return failures_; }
  bool any_answer() const { return any_answer_; }
  /// Decoded once after each answer. Errors: as decode().
  const Result<Decoded>& value(const Point& point) const;

 private:
  struct Search {  // for what can be read of a refused block
    Block whole;
    std::size_t left = 0;   // parts that are to be asked
    std::size_t alone = 0;  // values that were refused by themselves
    bool answered = false;  // some part was
  };
  bool split(const Block& block, int exception, MonoTime now);
  void leave_search(MonoTime now);
  void learn(const Block& block, MonoTime now);
  Block take_next();
  void take_pieces(const Block& block, const Words& words);

  const MeterConfig& meter_;
  UnsupportedPoints* unsupported_;
  std::vector<const Point*> asked_;  // and those that they depend on
  std::vector<Block> todo_;
  std::vector<Block> answered_;  // in this round
  std::optional<Search> search_;
  std::vector<std::pair<Block, Block>> splits_;  // halves of a block that was refused
  std::vector<std::pair<Block, Error>> failures_;
  RegisterImage image_;
  bool any_answer_ = false;
  mutable std::map<const Point*, Result<Decoded>> values_;  // since the last answer
};

}  // namespace metergate
