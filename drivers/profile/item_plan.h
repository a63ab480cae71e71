#pragma once

#include <vector>

#include "drivers/profile/profile.h"

namespace metergate {

// Reads of data items (DL/T 645): one item a request. Some items are blocks, which give the values of several
// others one behind the other.

/// Adds the reads of the items that `needed` lie in, in the order of the profile. A block is read where it gives two or
/// more of them, and is not among `refused`.
void add_item_reads(const std::vector<const Point*>& needed, const std::vector<Block>& refused,
                    std::vector<Block>* out);

/// The reads of the single items instead of a block; nothing where `block` is none.
std::vector<Block> singles_of(const Block& block, const std::vector<const Point*>& points);

/// Bytes of a block that are another item's.
struct BlockPiece {
  const Point* point = nullptr;
  Block place;  ///< what the bytes are
  std::size_t offset = 0;
};
std::vector<BlockPiece> pieces_of(const Profile& profile, const Block& block);

/// Whether a read, a block or not, gives bytes of the point.
bool carries(const Block& read, const Point& point);

}  // namespace metergate
