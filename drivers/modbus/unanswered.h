#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "drivers/modbus/pdu.h"

namespace metergate {

/// The questions that one Modbus unit left unanswered, oldest first, and what may be asked of it meanwhile. Those that
/// a second master was heard to ask stand among them.
///
/// An RTU answer carries unit, function and length, no transaction number and no address. So while a question is open
/// here, any answer of its shape may be its late one, and any exception of its function too. What is relied on: a unit,
/// or the serial server in front of it, answers each question at most once, and in the order they were asked. Then an
/// answer that only the present question can have caused shows that everything older is past.
///
/// Pure bookkeeping: no port, no time. The newest kMost are kept; an answer would have to come later than that many
/// unanswered questions to be mistaken. So a unit that answers nothing but one shape is asked for it again in the end.
class Unanswered {
 public:
  static constexpr std::size_t kMost = 16;

  bool empty() const { return open_.empty(); }
  /// An answer to a question of this shape could be a late one: ask a guard first.
  bool hides(const Shape& shape) const;
  /// As hides(), and an exception could be a late one too.
  bool hides_function(const Shape& shape) const;

  /// `foreign`: another master asked it, or its answer may be taken for the one to another master's question.
  void add(const Shape& shape, bool foreign = false);

  /// A frame came that was not asked for now. Which question it may answer: none, one of our own, which stays open, or
  /// a foreign one, which is past with it.
  enum class Of { kNone, kOwn, kForeign };
  Of heard(const std::vector<std::uint8_t>& pdu);

  /// A frame came that answers `asked`, which is not in the list yet. True: it can be nothing else's, and the list is
  /// empty now. False: it may be a late one, so `asked` is still open; what the frame certainly shows to be past is
  /// struck off.
  bool take(const Shape& asked, Fit how);

  /// A read of another shape than anything in the list, whose answer tells that the unit is past it. It stays at the
  /// registers of `block`, with another count of them (fewer, if it can) or from the sibling table (holding and input,
  /// coil and discrete), or else coils. At most `max_registers`, within 65536. There always is one: kMost is less than
  /// the shapes.
  std::optional<Block> guard(const Block& block, int max_registers) const;

 private:
  struct Open {
    Shape shape;
    bool foreign;
  };
  std::vector<Open> open_;
  bool refused_ =
      false;  ///< an exception could not be told from a late one: another function tells more than another count
};

}  // namespace metergate
