#include "drivers/modbus/unanswered_requests.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr int kBitsAByte = 8;

Table sibling(Table table) {
  switch (table) {
    case Table::kCoil:
      return Table::kDiscrete;
    case Table::kDiscrete:
      return Table::kCoil;
    case Table::kHolding:
      return Table::kInput;
    case Table::kInput:
      return Table::kHolding;
    case Table::kItem:
      break;
  }
  return table;
}

/// `count` registers that include the block's address.
Block around(const Block& block, Table table, int count) {
  const int address = std::min<int>(block.address, kAddresses - count);
  return {table, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count),
          is_bits(table) ? kRegisterBytes : block.register_bytes};
}

}  // namespace

bool UnansweredRequests::hides(const Shape& shape) const {
  return std::any_of(open_.begin(), open_.end(), [&](const Open& o) { return o.shape == shape; });
}

bool UnansweredRequests::hides_function(const Shape& shape) const {
  return std::any_of(open_.begin(), open_.end(), [&](const Open& o) { return o.shape.function == shape.function; });
}

void UnansweredRequests::add(const Shape& shape, bool foreign) {
  open_.push_back({shape, foreign});
  if (open_.size() > kMost) open_.erase(open_.begin());
}

UnansweredRequests::Of UnansweredRequests::heard(const std::vector<std::uint8_t>& pdu) {
  const auto at = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return can_answer(pdu, o.shape); });
  if (at == open_.end()) return Of::kNone;
  if (!at->foreign) return Of::kOwn;
  open_.erase(at);
  return Of::kForeign;
}

bool UnansweredRequests::take(const Shape& asked, Fit how) {
  const auto may_be_its = [&](const Open& o) {
    return how == Fit::kException ? o.shape.function == asked.function : o.shape == asked;
  };
  const auto at = std::find_if(open_.begin(), open_.end(), may_be_its);
  if (at == open_.end()) {
    open_.clear();
    refused_ = false;
    return true;
  }
  // Answers come in order: whatever is older than the oldest request that this can answer is past. So is that oldest,
  // whether this is its answer or a younger one's.
  open_.erase(open_.begin(), at + 1);
  refused_ = how == Fit::kException;
  return false;
}

std::optional<Block> UnansweredRequests::guard(const Block& block, int max_registers) const {
  const auto fresh = [&](Table table, int count) -> std::optional<Block> {
    const int limit = most_per_request(table, is_bits(table) ? kRegisterBytes : block.register_bytes);
    const int most = is_bits(table) ? limit : std::min(max_registers, limit);
    if (count < 1 || count > most) return std::nullopt;
    const Block candidate = around(block, table, count);
    if (hides(shape_of(candidate)) || shape_of(candidate) == shape_of(block)) return std::nullopt;
    return candidate;
  };
  const Table other = sibling(block.table);
  if (refused_) {
    if (auto found = fresh(other, block.count)) return found;
  }
  // Bits come in bytes: only a count with another number of bytes has another shape.
  const int step = is_bits(block.table) ? kBitsAByte : 1;
  int previous = block.count;
  for (int change = step; change <= most_per_request(block.table); change += step) {
    const int count = block.count > change ? block.count - change : block.count + change;
    if (auto found = fresh(block.table, count)) return found;
    if (auto found = fresh(other, previous)) return found;
    previous = count;
  }
  // A meter of single registers.
  for (int count = 1; count <= most_per_request(Table::kCoil); count += kBitsAByte) {
    if (auto found = fresh(Table::kCoil, count)) return found;
  }
  return std::nullopt;
}

}  // namespace metergate
