#include "agent/bus/block_reader.h"

#include <algorithm>

#include "drivers/profile/item_plan.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr std::size_t kAloneInVain = 2;

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

void BlockReader::ask(const std::vector<const Point*>& points, const std::vector<Block>& blocks) {
  for (const Point* point : with_dependencies(*meter_.profile, points)) {
    if (!contains(asked_, point)) asked_.push_back(point);
  }
  for (const Block& block : blocks) {
    if (!contains(todo_, block)) todo_.push_back(block);
  }
}

void BlockReader::ask_again(const Point& point) {
  values_.clear();
  for (const Point* needed : with_dependencies(*meter_.profile, {&point})) {
    for (auto it = answered_.begin(); it != answered_.end();) {
      if (!carries(*it, *needed)) {
        ++it;
        continue;
      }
      image_.forget(*it);
      for (const BlockPiece& piece : pieces_of(*meter_.profile, *it)) image_.forget(piece.place);
      todo_.push_back(*it);
      it = answered_.erase(it);
    }
  }
}

void BlockReader::begin_round() {
  answered_.clear();
  splits_.clear();
  auto keep =
      std::stable_partition(failures_.begin(), failures_.end(), [](const auto& f) { return !another_try(f.second); });
  for (auto it = keep; it != failures_.end(); ++it) todo_.push_back(it->first);
  failures_.erase(keep, failures_.end());
}

void BlockReader::abandon(const Error& error) {
  for (const Block& block : todo_) failures_.emplace_back(block, error);
  todo_.clear();
  search_.reset();
}

std::optional<Block> BlockReader::next() const {
  if (todo_.empty()) return std::nullopt;
  return todo_.front();
}

Block BlockReader::take_next() {
  const Block block = todo_.front();
  todo_.erase(todo_.begin());
  return block;
}

void BlockReader::answered(const Words& words, MonoTime now) {
  const Block block = take_next();
  values_.clear();
  image_.put(block, words);
  answered_.push_back(block);
  any_answer_ = true;
  take_pieces(block, words);
  learn(block, now);
  if (search_) search_->answered = true;
  leave_search(now);
}

/// The single items in a block of them. One that is shorter than expected lacks some: they are asked by themselves.
void BlockReader::take_pieces(const Block& block, const Words& words) {
  if (block.table != Table::kItem) return;
  const std::vector<BlockPiece> pieces = pieces_of(*meter_.profile, block);
  if (pieces.empty() && words.size() < block.count) {
    failures_.emplace_back(block, Error{Errc::kException,
                                        "di " + item_name(block) + " has " + std::to_string(words.size()) +
                                            " bytes, and " + std::to_string(block.count) + " were expected",
                                        kErrorWord + kNoDataBit});
  }
  for (const BlockPiece& piece : pieces) {
    if (piece.offset + piece.place.count <= words.size()) {
      const auto from = words.begin() + static_cast<std::ptrdiff_t>(piece.offset);
      image_.put(piece.place, Words(from, from + piece.place.count));
    } else if (contains(asked_, piece.point)) {
      ask({}, singles_of(block, {piece.point}));
    }
  }
}

/// Both halves of a refused block were answered: no request may cross the place between them.
void BlockReader::learn(const Block& block, MonoTime now) {
  if (unsupported_ == nullptr) return;
  unsupported_->answered(block);
  for (const auto& [left, right] : splits_) {
    const bool apart = left.address + left.count <= right.address;
    if (right == block && apart && contains(answered_, left)) {
      unsupported_->refused({right.table, right.address, 0}, kIllegalAddress, now);
    }
  }
}

bool BlockReader::failed(const Error& error, MonoTime now) {
  const Block block = take_next();
  if (refused_block(error) && split(block, error.exception, now)) return true;
  failures_.emplace_back(block, error);
  leave_search(now);
  return false;
}

/// False: the block is refused as it is, as one value or as a part of what is refused altogether.
bool BlockReader::split(const Block& block, int exception, MonoTime now) {
  const std::vector<Block> halves = halves_of(block, asked_);
  const bool as_it_is = halves.empty() || block.table == Table::kItem;
  if (as_it_is && unsupported_ != nullptr) unsupported_->refused(block, exception, now);
  if (halves.empty()) {
    if (search_) ++search_->alone;
    return false;
  }
  if (unsupported_ != nullptr) {
    if (!search_ && !unsupported_->worth_splitting(block, now)) return false;
    if (search_ && !search_->answered && search_->alone >= kAloneInVain) return false;
    if (!search_) search_ = Search{block, 1, 0, false};
    search_->left += halves.size() - 1;
  }
  todo_.insert(todo_.begin(), halves.begin(), halves.end());
  if (halves.size() > 1) splits_.emplace_back(halves[0], halves[1]);
  return true;
}

/// A part of the refused block was answered, or failed for good.
void BlockReader::leave_search(MonoTime now) {
  if (!search_ || --search_->left > 0) return;
  if (!search_->answered) unsupported_->in_vain(search_->whole, now);
  search_.reset();
}

bool BlockReader::take_over(const Block& block, const Words& words, MonoTime now) {
  if (search_) return false;  // whose halves are counted
  const auto held = [&](const Block& b) {
    if (block.table == Table::kItem) return b == block;
    return b.is_beside(block) && b.address >= block.address && b.address + b.count <= block.address + block.count;
  };
  bool any = false;
  for (auto it = todo_.begin(); (it = std::find_if(todo_.begin(), todo_.end(), held)) != todo_.end(); any = true) {
    std::rotate(todo_.begin(), it, it + 1);
    if (block.table == Table::kItem) {
      answered(words, now);
      continue;
    }
    const Block before{block.table, block.address, static_cast<std::uint16_t>(todo_.front().address - block.address),
                       block.register_bytes};
    const auto from = words.begin() + static_cast<std::ptrdiff_t>(words_in(before));
    answered(Words(from, from + static_cast<std::ptrdiff_t>(words_in(todo_.front()))), now);
  }
  return any;
}

bool BlockReader::came(const Point& point) const {
  if (answered_.empty()) return false;
  const std::vector<Block> own = registers_of(point);
  return std::all_of(own.begin(), own.end(), [&](const Block& registers) {
    const auto holds = [&](const Block& b) {
      return point.in_block ? carries(b, point) && image_.has(registers) : overlaps(b, registers);
    };
    return std::any_of(answered_.begin(), answered_.end(), holds);
  });
}

bool BlockReader::whole(const Point& point) const {
  const std::vector<const Point*> needed = with_dependencies(*meter_.profile, {&point});
  return std::all_of(needed.begin(), needed.end(), [this](const Point* p) {
    const std::vector<Block> blocks = registers_of(*p);
    return std::all_of(blocks.begin(), blocks.end(), [this](const Block& b) { return image_.has(b); });
  });
}

std::optional<Error> BlockReader::failure(const Point& point) const {
  if (failures_.empty()) return std::nullopt;
  for (const Point* needed : with_dependencies(*meter_.profile, {&point})) {
    for (const Block& registers : registers_of(*needed)) {
      if (image_.has(registers)) continue;
      const auto found = std::find_if(failures_.begin(), failures_.end(), [&](const auto& failure) {
        return needed->in_block ? carries(failure.first, *needed) : overlaps(failure.first, registers);
      });
      if (found != failures_.end()) return found->second;
    }
  }
  return std::nullopt;
}

const Result<Decoded>& BlockReader::value(const Point& point) const {
  const auto known = values_.find(&point);
  if (known != values_.end()) return known->second;
  return values_.emplace(&point, decode(*meter_.profile, point, image_, meter_.ratios)).first->second;
}

}  // namespace metergate
