#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace metergate {

/// What was asked of a meter: a function, and of a read which data item.
struct Dlt645Question {
  std::uint8_t function = 0;
  std::optional<std::uint32_t> item;
  bool operator==(const Dlt645Question& o) const { return function == o.function && item == o.item; }
};

/// The questions that one DL/T 645 meter left unanswered, oldest first, and those of another master.
///
/// An answer to a read carries address and item, so it cannot be taken for another item's; a late one of the same item
/// is an older value of the same point. An error carries no item, and the acknowledgement of a write nothing at all:
/// while another question of the same function is open, either may be that one's. What we rely on: a meter, or the
/// serial server in front of it, answers each question at most once, and in their order. Pure; the newest kMost are
/// kept.
class OpenQuestions {
 public:
  static constexpr std::size_t kMost = 16;

  bool empty() const { return open_.empty(); }
  void add(const Dlt645Question& question) {
    open_.push_back(question);
    if (open_.size() > kMost) open_.erase(open_.begin());
  }

  /// A read was answered with its own item. Everything that is older is past.
  void answered(const Dlt645Question& asked) {
    const auto same = std::find(open_.begin(), open_.end(), asked);
    if (same == open_.end()) return open_.clear();
    open_.erase(open_.begin(), same + 1);
    add(asked);  // which of the two it answered does not show
  }

  /// An answer came that names no item. True: it can be nothing else's, and nothing is open any more. False: it may be
  /// a late one; then what it certainly shows to be past is struck off.
  bool take_unnamed(const Dlt645Question& asked) {
    const auto same = std::find_if(open_.begin(), open_.end(),
                                   [&](const Dlt645Question& open) { return open.function == asked.function; });
    if (same == open_.end()) {
      open_.clear();
      return true;
    }
    open_.erase(open_.begin(), same + 1);
    return false;
  }

  /// A frame came that answers nothing that is asked now. True: an earlier question of this function and item, which is
  /// past with it.
  bool heard(const Dlt645Question& answered) {
    const auto same = std::find_if(open_.begin(), open_.end(), [&](const Dlt645Question& open) {
      return open.function == answered.function && (!answered.item || open.item == answered.item);
    });
    if (same == open_.end()) return false;
    if (answered.item) open_.erase(open_.begin(), same + 1);
    return true;
  }

  bool holds(std::uint32_t item) const {
    return std::any_of(open_.begin(), open_.end(), [item](const Dlt645Question& open) { return open.item == item; });
  }

 private:
  std::vector<Dlt645Question> open_;
};

}  // namespace metergate
