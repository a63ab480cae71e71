#include "drivers/profile/item_plan.h"

#include <algorithm>

#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr std::size_t kWorthABlock = 2;  // items; a block of one costs more than the item

bool is_of(const Block& block, const Point& point) {
  return block.table == Table::kItem && point.in_block && point.in_block->item == block.item;
}

/// Reads an item from its first byte to the end of `place`; one read for all places in it.
void add_read(const Block& place, std::vector<Block>* out) {
  const int end = place.address + place.count;
  const auto same = std::find_if(out->begin(), out->end(), [&](const Block& b) { return b.is_beside(place); });
  if (same == out->end()) {
    out->push_back(item_block(place, 0, end));
  } else {
    same->count = static_cast<std::uint16_t>(std::max<int>(same->count, end));
  }
}

bool is_refused(const Block& block, const std::vector<Block>& refused) {
  return std::any_of(refused.begin(), refused.end(), [&](const Block& r) { return r.is_beside(block); });
}

}  // namespace

void add_item_reads(const std::vector<const Point*>& needed, const std::vector<Block>& refused,
                    std::vector<Block>* out) {
  std::vector<Block> reads;
  for (const Point* point : needed) {
    if (point->table != Table::kItem) continue;
    const auto together = std::count_if(needed.begin(), needed.end(), [&](const Point* other) {
      return point->in_block && is_of(*point->in_block, *other);
    });
    if (static_cast<std::size_t>(together) >= kWorthABlock && !is_refused(*point->in_block, refused)) {
      add_read(*point->in_block, &reads);
    } else {
      for (const Block& place : point->places) add_read(place, &reads);
    }
  }
  out->insert(out->end(), reads.begin(), reads.end());
}

std::vector<Block> singles_of(const Block& block, const std::vector<const Point*>& points) {
  std::vector<Block> singles;
  for (const Point* point : points) {
    if (!is_of(block, *point)) continue;
    for (const Block& place : point->places) add_read(place, &singles);
  }
  return singles;
}

std::vector<BlockPiece> pieces_of(const Profile& profile, const Block& block) {
  std::vector<BlockPiece> pieces;
  for (const Point& point : profile.points) {
    if (is_of(block, point)) pieces.push_back({&point, point.places.front(), point.in_block->address});
  }
  return pieces;
}

bool carries(const Block& read, const Point& point) {
  if (is_of(read, point)) return true;
  const std::vector<Block> own = registers_of(point);
  return std::any_of(own.begin(), own.end(), [&](const Block& place) { return overlaps(read, place); });
}

}  // namespace metergate
