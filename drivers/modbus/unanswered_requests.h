#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "drivers/modbus/pdu.h"

namespace metergate {

/// The requests that one Modbus unit left unanswered, oldest first, and what may be asked of it meanwhile. The requests
/// that a second master was heard to send are among them.
///
/// An RTU answer carries unit, function and length, no transaction number and no address. So while a request is open
/// here, any answer of its shape may be its late one, and any exception of its function too. What we rely on: a unit,
/// or the serial server in front of it, answers each request at most once, and in the order of the requests. Then an
/// answer that only the present request can have caused shows that everything older is past.
///
/// Pure bookkeeping: no port, no time. The newest kMost are kept; to be mistaken, an answer would have to be later than
/// that many unanswered requests. So a unit that answers one shape only is asked for it again in the end.
class UnansweredRequests {
 public:
  static constexpr std::size_t kMost = 16;

  bool empty() const { return open_.empty(); }
  /// An answer to a request of this shape could be a late one: ask a guard first.
  bool hides(const Shape& shape) const;
  /// As hides(), and an exception could be a late one too.
  bool hides_function(const Shape& shape) const;

  /// `foreign`: another master sent it, or its answer may be taken for the one to another master's request.
  void add(const Shape& shape, bool foreign = false);

  /// A frame came that was not asked for now. Which request it may answer: none; one of our own, which stays open; or a
  /// foreign one, which is past with it.
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
  /// An exception could not be told from a late one: the next guard takes another function, not another count.
  bool refused_ = false;
};

}  // namespace metergate
